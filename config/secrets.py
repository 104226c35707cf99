"""The four secrets of a deployment, made once and kept in ``DATA_DIR/secrets.env``.

They are four separate values so that losing one does not open what the others guard:
changing ``SECRET_KEY`` ends browser sessions but leaves tokens and ciphertexts alone.
Imported before Django is configured, so nothing here may read settings.
"""

import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent


def random_key() -> str:
    """32 random bytes as base64url without padding."""
    return urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


MAKERS = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(50),
    "TOKEN_SIGNING_KEYS": random_key,
    "TOKEN_PEPPER": random_key,
    "ENCRYPTION_KEYS": random_key,
}


def data_dir() -> Path:
    return Path(os.environ.get("DATA_DIR") or BASE_DIR / ".data").resolve()


def ensure() -> None:
    """Add to ``secrets.env`` each secret that neither the environment nor the file holds.

    Exits with one line naming the directory when it cannot be written.
    """
    try:
        _add_missing(data_dir() / "secrets.env")
    except OSError as error:
        raise SystemExit(f"DATA_DIR {data_dir()} cannot be written: {error.strerror}") from None


def _add_missing(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = file.read_text() if file.exists() else ""
    names = {line.partition("=")[0] for line in kept.splitlines()}
    missing = [name for name in MAKERS if name not in names and not os.environ.get(name)]
    if not missing:
        return
    new = file.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(kept + "".join(f"{name}={MAKERS[name]()}\n" for name in missing))
    new.replace(file)


if __name__ == "__main__":
    ensure()
