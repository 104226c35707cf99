"""Idle connections to the store, kept for the next call: by process, for tasks by loop."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any
from weakref import WeakKeyDictionary

from django.core.signals import setting_changed
from django.dispatch import receiver

from .targets import Target, target
from .wires import AsyncWire, Wire

# Concurrent calls of one event loop; a waiting task holds no connection.
ASYNC_CONNECTIONS = 32


class Pool:
    """As many connections as threads ever called at once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._idle: deque[Wire] = deque()
        self.timeout = target.timeout

    def take(self, timeout: float) -> Wire:
        try:
            return self._idle.pop()
        except IndexError:
            return Wire(self.dial(timeout), self.timeout)

    def dial(self, timeout: float | None = None) -> Any:
        """A connection of redis-py's that the pool forgets."""
        connection = self._target.connected(timeout or self.timeout)
        _sockets[connection] = connection._get_socket()
        return connection

    def give(self, wire: Wire) -> None:
        self._idle.append(wire)

    def drop_idle(self) -> None:
        """When one connection broke, the others most likely did too."""
        while self._idle:
            self._idle.pop().close()


class AsyncPool:
    """``Pool`` for the tasks of one event loop."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._idle: deque[AsyncWire] = deque()
        self.timeout = target.timeout
        self.slots = asyncio.Semaphore(ASYNC_CONNECTIONS)

    async def take(self) -> AsyncWire:
        try:
            return self._idle.pop()
        except IndexError:
            connection = await self._target.aconnected()
            _sockets[connection] = connection._writer.get_extra_info("socket")
            return AsyncWire(connection)

    def give(self, wire: AsyncWire) -> None:
        self._idle.append(wire)

    async def drop_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def close_with_loop(self) -> AsyncGenerator[None, None]:
        """A loop tells nobody that it ends, save the asynchronous generators it has begun."""
        try:
            yield
        finally:
            await self.drop_idle()


_pools: dict[str, Pool] = {}
_AsyncPools = WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[str, tuple[AsyncPool, AsyncGenerator[None, None]]]
]
_async_pools: _AsyncPools = WeakKeyDictionary()


def pool(alias: str) -> Pool:
    try:
        return _pools[alias]
    except KeyError:
        return _pools.setdefault(alias, Pool(target(alias)))


async def async_pool(alias: str) -> AsyncPool:
    pools = _async_pools.setdefault(asyncio.get_running_loop(), {})
    if alias not in pools:
        made = AsyncPool(target(alias))
        pools[alias] = made, made.close_with_loop()
        await anext(pools[alias][1])
    return pools[alias][0]


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "CACHES":
        _pools.clear()
        _async_pools.clear()


# Of every connection that is still known to somebody.
_sockets: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
_inherited: list[Any] = []


def _leave_to_parent() -> None:
    """A child closes its copies of its parent's sockets and says no word on them.

    Their numbers stay taken, by the null device, because their owners are still going to close
    them. What belongs to loops is kept for ever: its finalisers would reach into the parent's.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (sock.fileno() for sock in _sockets.values()):
        if descriptor >= 0:
            os.dup2(null, descriptor, inheritable=False)
    os.close(null)
    _inherited.extend([*_sockets.items(), *_async_pools.items()])
    for inherited in (_sockets, _pools, _async_pools):
        inherited.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
