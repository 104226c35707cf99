"""From a lock's name to the keys that the store keeps for it."""

import unicodedata
from functools import lru_cache
from urllib.parse import quote, unquote

from django.db.models import Model

from .errors import LockInvalid

LONGEST = 200
# Braces would move the hash tag that keeps all keys of a lock in one slot of a cluster.
_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in "{}%")


def of(subject: str | Model) -> str:
    """The one spelling of a name, or that of a saved row; refuses what cannot be one."""
    if isinstance(subject, Model):
        if subject.pk is None or subject._state.adding:
            raise LockInvalid(f"A {subject._meta.label} must be saved to be locked.")
        subject = f"{subject._meta.label_lower}:{subject.pk}"
    return canonical(subject)


def canonical(name: str) -> str:
    if not isinstance(name, str):
        raise LockInvalid(f"A lock's name must be a string, not {type(name).__name__}.")
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        raise LockInvalid("A lock's name must be valid Unicode.") from None
    if not 0 < length <= LONGEST:
        raise LockInvalid(f"A lock's name must be 1 to {LONGEST} bytes, not {length}.")
    return name


@lru_cache(1024)
def keys(prefix: str, name: str) -> tuple[str, ...]:
    """Holder, queue, waiters' records, memory; and the index of all locks held."""
    stem = f"{prefix}:{{{quote(name, safe=_SAFE)}}}:"
    return *_four(stem), index(prefix)


def keys_of(holder_key: str) -> tuple[str, ...]:
    """The keys of one lock, without the index."""
    return _four(holder_key[:-1])


def _four(stem: str) -> tuple[str, ...]:
    return f"{stem}l", f"{stem}q", f"{stem}w", f"{stem}s"


def index(prefix: str) -> str:
    return f"{prefix}:idx"


def from_key(prefix: str, holder_key: str) -> str:
    return unquote(holder_key[len(prefix) + 2 : -3])
