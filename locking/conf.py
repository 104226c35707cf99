"""``LOCKING`` in Django's settings; every key may be left out."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from .durations import Duration


# Told apart by identity, so that looking up what was made of one takes no time.
@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settings:
    """``cache`` is the alias of a django-redis cache whose server keeps the locks.

    ``max_hold`` is how long a lease is renewed at most, ``queue_limit`` how many may wait for one
    lock, ``http_waiters`` how many requests of one process may wait at a time for locks.
    ``private`` are the beginnings of names that are the program's own: see ``remote``.
    ``quarantine`` is how long after a loss of the store's data no lock is granted: the longest
    lease, or 0 for no such care.
    """

    cache: str = "default"
    prefix: str = "lock"
    lease: Duration = 30
    wait: Duration | None = 10
    max_hold: Duration = 3_600
    queue_limit: int = 10_000
    http_waiters: int = 8
    private: tuple[str, ...] = ()
    quarantine: Duration = 0


_NOTHING: dict[str, Any] = {}
# The dict, what it held when it was read, and what was made of it.
_read: tuple[dict[str, Any], dict[str, Any], Settings] = (_NOTHING, {}, Settings())


def conf() -> Settings:
    """Made anew only when another dict is set, or this one was edited: every lock asks."""
    global _read
    given = getattr(settings, "LOCKING", _NOTHING)
    source, held, made = _read
    if given is not source or given != held:
        made = Settings(**{key.lower(): value for key, value in given.items()})
        _read = given, dict(given), made
    return made
