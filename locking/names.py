"""From a lock's name to the keys that the store keeps for it."""

import unicodedata
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote, unquote

from django.db.models import Model

from .errors import LockInvalid
from .scripts import SHARED, SINGLE

LONGEST = 200
# Braces would move the hash tag that keeps all keys of a lock in one slot of a cluster.
_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in "{}%")


class Kind(StrEnum):
    """One name stands for three different things, which know nothing of each other."""

    LOCK = "lock"
    RW = "rw"
    SEMAPHORE = "sem"


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
    if "\0" in name:  # which no command line, no path of a URL and no row of PostgreSQL can hold
        raise LockInvalid("A lock's name must not hold a NUL.")
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
    return *_keys(_stem(prefix, name), SINGLE), index(prefix)


@lru_cache(1024)
def share_keys(prefix: str, kind: Kind, name: str) -> tuple[str, ...]:
    """Holders, queue, waiters' records, memory, grants; and the index of all locks held."""
    return *_keys(f"{_stem(prefix, name)}{kind}:", SHARED), index(prefix)


def keys_of(holder_key: str) -> tuple[str, ...]:
    """The keys of one lock, without the index."""
    return _keys(holder_key[:-1], holder_key[-1])


def _stem(prefix: str, name: str) -> str:
    return f"{prefix}:{{{quote(name, safe=_SAFE)}}}:"


def _keys(stem: str, holder: str) -> tuple[str, ...]:
    letters = f"{holder}qwsg" if holder == SHARED else f"{holder}qws"
    return tuple(stem + letter for letter in letters)


def epoch(prefix: str) -> str:
    return f"{prefix}:epoch"


def index(prefix: str) -> str:
    return f"{prefix}:idx"


def from_key(prefix: str, holder_key: str) -> str:
    return unquote(holder_key[len(prefix) + 2 : holder_key.rindex("}")])


def kind(holder_key: str) -> Kind:
    rest = holder_key[holder_key.rindex("}") + 2 :]
    return Kind(rest[:-2]) if rest[-1] == SHARED else Kind.LOCK
