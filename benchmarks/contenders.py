"""A lock of each library, as its own manual shows it, to be entered by ``with``."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache, partial
from typing import Any

from locking import lock

from .store import client

Section = Callable[[str], AbstractContextManager[Any]]

LEASE = 30
PATIENCE = 120


def _ours() -> Section:
    return partial(lock, wait=PATIENCE)


def _redis_py() -> Section:
    return partial(client().lock, timeout=LEASE)


def _python_redis_lock() -> Section:
    import redis_lock

    return partial(redis_lock.Lock, client(), expire=LEASE)


def _pottery() -> Section:
    from pottery import Redlock

    return lambda name: Redlock(key=name, masters={client()}, auto_release_time=LEASE)


OURS, REDIS_PY, PYTHON_REDIS_LOCK, POTTERY = "ours", "redis-py", "python-redis-lock", "pottery"

LIBRARIES: dict[str, Callable[[], Section]] = {
    OURS: _ours,
    REDIS_PY: _redis_py,
    PYTHON_REDIS_LOCK: _python_redis_lock,
    POTTERY: _pottery,
}


@cache
def section(library: str) -> Section:
    return LIBRARIES[library]()
