"""Idle connections to one server, kept for the next call. A forked child gets none of them."""

import asyncio
import os
from collections import deque
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from .targets import Target
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
        with suppress(IndexError):  # other threads take from it meanwhile
            while True:
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


# Of every connection that is still known to somebody.
_sockets: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
_inherited: list[Any] = []


def _close_inherited() -> None:
    """A child closes its copies of its parent's sockets and says no word on them.

    Their numbers stay taken, by the null device, because their owners are still going to close
    them, if ever they are thrown away.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (sock.fileno() for sock in _sockets.values()):
        if descriptor >= 0:
            os.dup2(null, descriptor, inheritable=False)
    os.close(null)
    # What an event loop's connection does in the end, it would do to the parent's loop.
    _inherited.extend(_sockets.items())
    _sockets.clear()


os.register_at_fork(after_in_child=_close_inherited)
