"""Where the store of a cache alias is and how to connect to it, as Django's settings say."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django_redis import get_redis_connection
from redis import asyncio as aredis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from . import clock
from .sentinel import Sentinels

# For a cache alias that sets none: a lock store that is silent for longer is down.
TIMEOUT = 5.0

ASYNC_CLASSES: dict[type, type] = {
    redis.SSLConnection: aredis.SSLConnection,
    redis.Connection: aredis.Connection,
    redis.UnixDomainSocketConnection: aredis.UnixDomainSocketConnection,
}
# What redis-py adds for its own clients and pools.
NOT_OURS = {
    "parser_class", "himport_registry", "event_dispatcher", "connection_pool", "retry",
    "maint_notifications_config", "maint_notifications_pool_handler",
    "cluster_tag", "cluster_seeds",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """``timeout`` is seconds that a call may take, unless it says so itself."""

    kind: Any
    kwargs: dict[str, Any] = field(repr=False)
    timeout: float
    sentinels: Sentinels | None = field(default=None, repr=False)
    # Of a cluster, nodes by which to find the others.
    seeds: tuple[tuple[str, int], ...] = ()

    def connected(self, timeout: float) -> Any:
        """A new connection, of redis-py's kind. Raises redis.RedisError."""
        until = clock.now() + timeout
        address = self.sentinels.primary(timeout) if self.sentinels else {}
        left = max(until - clock.now(), 0.001)
        limits = {"socket_timeout": left, "socket_connect_timeout": left}
        connection = self.kind(**self.kwargs | address | limits, retry=Retry(NoBackoff(), 0))
        connection.connect()
        return connection

    async def aconnected(self) -> Any:
        """The same for a task, with no time limit."""
        address = await self.sentinels.aprimary() if self.sentinels else {}
        limits = {"socket_timeout": None, "socket_connect_timeout": None}
        connection = ASYNC_CLASSES[self.kind](**self.kwargs | address | limits)
        try:
            await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    @property
    def place(self) -> tuple[object, ...]:
        """Equal for those who mean the same server and database by the same address."""
        usual = {"path": None, "host": "localhost", "port": 6379, "db": 0}
        # Of one name there is one service in a process: django-redis keeps its pools by it.
        service = self.sentinels.service if self.sentinels else None
        return service, self.seeds, *(self.kwargs.get(name, usual[name]) for name in usual)

    def at(self, host: str, port: int) -> "Target":
        """Another node of the same cluster."""
        return replace(self, kwargs=self.kwargs | {"host": host, "port": port})


def target(alias: str) -> Target:
    try:
        source = get_redis_connection(alias).connection_pool
    except NotImplementedError:
        raise ImproperlyConfigured(f"Locks need django-redis; cache {alias!r} is not.") from None
    return _target(source, seeds=settings.CACHES[alias].get("OPTIONS", {}).get("CLUSTER", ()))


def _target(source: Any, *, seeds: Iterable[tuple[str, int]]) -> Target:
    given = {
        name: value for name, value in source.connection_kwargs.items() if name not in NOT_OURS
    }
    # Nothing is ever pushed on these connections, and RESP2 spares them a greeting.
    kwargs = given | {"protocol": 2}
    timeout = float(given.get("socket_timeout") or TIMEOUT)
    kind = _plain(source.connection_class)
    sentinels = Sentinels.of(source) if isinstance(source, SentinelConnectionPool) else None
    return Target(kind, kwargs, timeout, sentinels, tuple(seeds))


def _plain(kind: type) -> type:
    """Some know where to connect to by themselves; here that is found out before."""
    return next((plain for plain in ASYNC_CLASSES if issubclass(kind, plain)), kind)
