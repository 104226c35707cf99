"""Files that tell other processes what is known: never half written, never a stranger's."""

import os
import stat
from pathlib import Path

LARGEST = 16 << 20


class Refused(Exception):
    """Says in words why a file, or what is in it, is not believed."""


def replace_file(draft: Path, path: Path, data: bytes) -> None:
    """Readers see the old content or the new one, never a part. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        file.write(data)
    draft.replace(path)


def read_own(path: Path) -> bytes:
    """Raises Refused, OSError."""
    # O_NONBLOCK, not to wait for the writer of a pipe that somebody put there.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise Refused("it is not a file of this user")
        if found.st_mode & 0o022:
            raise Refused("others may write to it")
        if found.st_size > LARGEST:
            raise Refused(f"it is larger than {LARGEST} bytes")
        return file.read()
