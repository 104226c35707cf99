"""Connections to the store, made as the cache alias that Django already knows says.

They are used one level below redis-py's clients: half the cost of an uncontended lock lies there,
and only here can a call have a deadline of its own, and a last word go out behind it.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any
from weakref import WeakKeyDictionary

import redis
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django_redis import get_redis_connection
from redis import asyncio as aredis
from redis.backoff import NoBackoff
from redis.retry import Retry

# Concurrent calls of one event loop; a waiting task holds no connection.
ASYNC_CONNECTIONS = 32
# For a cache alias that sets none: a lock store that is silent for longer is down.
TIMEOUT = 5.0

ASYNC_CLASSES = {
    redis.Connection: aredis.Connection,
    redis.SSLConnection: aredis.SSLConnection,
    redis.UnixDomainSocketConnection: aredis.UnixDomainSocketConnection,
}
SYNC_ONLY = {"parser_class", "retry", "himport_registry", "event_dispatcher"}


def _source(alias: str) -> Any:
    try:
        return get_redis_connection(alias).connection_pool
    except NotImplementedError:
        raise ImproperlyConfigured(f"Locks need django-redis; cache {alias!r} is not.") from None


class Pool:
    """A process's idle connections to one alias: as many as threads ever called at once."""

    def __init__(self, alias: str) -> None:
        # Kept, because a connection made for Sentinel refers to its pool weakly.
        self._source = _source(alias)
        self._kwargs = self._source.connection_kwargs | {"retry": Retry(NoBackoff(), 0)}
        self._idle: deque[Any] = deque()
        self.timeout = float(self._kwargs.get("socket_timeout") or TIMEOUT)

    def take(self, timeout: float) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect(timeout)

    def _connect(self, timeout: float) -> Any:
        connection = self._source.connection_class(**self._kwargs)
        connection.socket_timeout = connection.socket_connect_timeout = timeout
        connection.connect()
        connection.socket_timeout = self.timeout
        connection.update_current_socket_timeout(self.timeout)
        return connection

    def give(self, connection: Any) -> None:
        self._idle.append(connection)

    def drop_idle(self) -> None:
        """When one connection broke, the others most likely did too."""
        while self._idle:
            self._idle.pop().disconnect()


class AsyncPool:
    """An event loop's idle connections to one alias."""

    def __init__(self, alias: str) -> None:
        source = _source(alias)
        if source.connection_class not in ASYNC_CLASSES:
            raise ImproperlyConfigured(f"No asynchronous locks on cache {alias!r} yet.")
        self._make = ASYNC_CLASSES[source.connection_class]
        kwargs = {k: v for k, v in source.connection_kwargs.items() if k not in SYNC_ONLY}
        self.timeout = float(kwargs.get("socket_timeout") or TIMEOUT)
        # Each call has one time limit around all of it, instead of redis-py's around each part.
        self._kwargs = kwargs | {"socket_timeout": None, "socket_connect_timeout": None}
        self._idle: deque[Any] = deque()
        self.slots = asyncio.Semaphore(ASYNC_CONNECTIONS)

    async def take(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return await self._connect()

    async def _connect(self) -> Any:
        connection = self._make(**self._kwargs)
        try:
            await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    def give(self, connection: Any) -> None:
        self._idle.append(connection)

    async def drop_idle(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect(nowait=True)

    async def close_with_loop(self) -> AsyncGenerator[None, None]:
        """A loop tells nobody that it ends, save the asynchronous generators it has begun."""
        try:
            yield
        finally:
            await self.drop_idle()


# By process, because a child must not speak on its parent's sockets.
_Key = tuple[int, str]
_pools: dict[_Key, Pool] = {}
_async_pools: WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[_Key, tuple[AsyncPool, AsyncGenerator[None, None]]]
] = WeakKeyDictionary()


def pool(alias: str) -> Pool:
    key = os.getpid(), alias
    try:
        return _pools[key]
    except KeyError:
        return _pools.setdefault(key, Pool(alias))


async def async_pool(alias: str) -> AsyncPool:
    pools = _async_pools.setdefault(asyncio.get_running_loop(), {})
    key = os.getpid(), alias
    if key not in pools:
        made = AsyncPool(alias)
        pools[key] = made, made.close_with_loop()
        await anext(pools[key][1])
    return pools[key][0]


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "CACHES":
        _pools.clear()
        _async_pools.clear()
