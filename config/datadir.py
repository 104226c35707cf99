"""``DATA_DIR``: who holds it, and what a running project tells other commands through it.

Imported before Django is configured, so nothing here may read settings.
"""

import fcntl
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import IO

from config import secrets

LONGEST_SOCKET_PATH = 100  # the kernel allows 108 bytes, Valkey appends to it while binding


def claim() -> IO[str]:
    """Make the directory this process's own for as long as the returned file stays open.

    Exits with one line when it cannot be written or another process holds it.
    """
    secrets.ensure()
    directory = secrets.data_dir()
    try:
        lock = (directory / "up.lock").open("w")
    except OSError as error:
        raise SystemExit(f"DATA_DIR {directory} cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(f"DATA_DIR {directory} is in use by another `manage.py up`") from None
    (directory / "runtime.env").unlink(missing_ok=True)
    return lock


def publish(**addresses: object) -> None:
    """Let the settings of other commands find what this process started."""
    lines = (f"{name}={value}\n" for name, value in addresses.items())
    (secrets.data_dir() / "runtime.env").write_text("".join(lines))


def valkey_socket(directory: Path) -> Path:
    """Where the embedded Valkey of this directory listens, short enough for a unix socket."""
    socket = directory / "valkey.sock"
    if len(bytes(socket)) <= LONGEST_SOCKET_PATH:
        return socket
    digest = sha256(bytes(directory)).hexdigest()[:16]
    return Path(gettempdir()) / f"mainstay-{digest}" / "valkey.sock"
