"""What operators and probes ask of the locks. Each raises LockUnavailable if the store is down."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import redis
from django_redis import get_redis_connection

from . import holders, names, scripts
from .conf import conf
from .errors import LockBusy
from .holders import Holder
from .lines import translated
from .locks import lock

P = ParamSpec("P")
R = TypeVar("R")

PROBE = "locking:probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLock:
    """``expires_in`` in seconds; ``waiting`` counts those in line."""

    name: str
    holder: Holder
    expires_in: float
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """``oldest_hold`` in seconds, None when nothing is held."""

    held: int
    waiting: int
    oldest_hold: float | None


def _unavailable_if_down(function: Callable[P, R]) -> Callable[P, R]:
    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except redis.RedisError as error:
            raise translated(error) from error

    return call


@_unavailable_if_down
def held(*, limit: int | None = None) -> list[HeldLock]:
    """Locks now held, those that end soonest first."""
    settings = conf()
    client: redis.Redis = get_redis_connection(settings.cache)
    inspect = client.register_script(scripts.INSPECT.source)
    found = _names_held(client, settings.prefix, limit)
    with client.pipeline(transaction=False) as pipe:
        for name in found:
            inspect(keys=names.keys(settings.prefix, name)[:4], client=pipe)
        replies = pipe.execute()
    return [_row(name, reply) for name, reply in zip(found, replies, strict=True) if reply]


def _names_held(client: redis.Redis, prefix: str, limit: int | None) -> list[str]:
    seconds, micros = client.time()
    now = seconds * 1_000_000 + micros
    index = names.index(prefix)
    with client.pipeline(transaction=False) as pipe:
        # Locks that ran out, instead of being released, are still listed.
        pipe.zremrangebyscore(index, "-inf", now)
        pipe.zrange(index, 0, -1 if limit is None else limit - 1)
        _, members = pipe.execute()
    return [names.from_key(prefix, member.decode()) for member in members]


def _row(name: str, reply: list[Any]) -> HeldLock:
    fence, ttl, held_for, waiting, actor, meta = reply
    return HeldLock(
        name=name,
        holder=holders.parse(fence, held_for, actor, meta),
        expires_in=max(ttl, 0) / 1000,
        waiting=waiting,
    )


def overview() -> Overview:
    rows = held()
    return Overview(
        held=len(rows),
        waiting=sum(row.waiting for row in rows),
        oldest_hold=max((row.holder.held_for for row in rows), default=None),
    )


def probe() -> None:
    """Acquire and release a lock of its own."""
    try:
        with lock(PROBE, lease=1, wait=0):
            pass
    except LockBusy:
        # Another prober holds it, so the store grants locks.
        return
