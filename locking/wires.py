"""Connections made by redis-py (TLS, password, database) and then spoken on without it.

Its command layer costs as much as an uncontended lock's two round trips; and only down here can a
call have a deadline of its own, and a last word go out behind a call still unanswered.
"""

from collections.abc import Callable
from typing import Any

import hiredis
import redis
from redis.connection import DefaultParser

from . import clock

CHUNK = 65_536
NOTHING = object()


def _reader() -> Any:
    return hiredis.Reader(
        protocolError=redis.InvalidResponse,
        replyError=DefaultParser.parse_error,
        notEnoughData=NOTHING,
    )


pack: Callable[[Any], bytes] = hiredis.pack_command  # whose stub knows only tuples of one


class Wire:
    """Errors of the server are replies like any other; those of the line are raised, as OSError.

    ``owed`` counts the replies that are still to come.
    """

    def __init__(self, connection: Any, timeout: float) -> None:
        self._connection = connection
        self._socket = connection._get_socket()
        self._socket.settimeout(timeout)
        self._reader = _reader()
        self._timeout = self._patience = timeout
        self.owed = 0

    def send(self, packed: bytes, calls: int = 1) -> None:
        # Counted first: an interrupt must not leave a reply behind that nobody expects.
        self.owed += calls
        try:
            self._socket.sendall(packed)
        except BaseException:
            # Half a command may be out.
            self.close()
            raise

    def collect(self, count: int, until: float | None, *, leave: int = 0) -> list[Any]:
        """The last ``count`` replies before those left, by then or within the usual time."""
        while self.owed > count + leave:
            self.next(until)
        return [self.next(until) for _ in range(count)]

    def next(self, until: float | None) -> Any:
        while (reply := self._reader.gets(False)) is NOTHING:
            if until is not None or self._patience != self._timeout:
                self._wait_no_longer_than(until)
            chunk = self._socket.recv(CHUNK)
            if not chunk:
                raise ConnectionResetError("The lock store ended the connection.")
            self._reader.feed(chunk)
        self.owed -= 1
        return reply

    def _wait_no_longer_than(self, until: float | None) -> None:
        patience = self._timeout if until is None else max(until - clock.now(), 0.001)
        if patience != self._patience:
            self._socket.settimeout(patience)
            self._patience = patience

    @property
    def is_open(self) -> bool:
        return bool(self._connection.is_connected)

    def close(self) -> None:
        self._connection.disconnect()


class AsyncWire:
    """``Wire`` for a task, which has no time limit of its own."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._stream, self._writer = connection._reader, connection._writer
        self._reader = _reader()
        self.owed = 0

    def send(self, packed: bytes, calls: int = 1) -> None:
        self.owed += calls
        self._writer.write(packed)

    async def collect(self, count: int) -> list[Any]:
        while self.owed > count:
            await self.next()
        return [await self.next() for _ in range(count)]

    async def next(self) -> Any:
        while (reply := self._reader.gets(False)) is NOTHING:
            chunk = await self._stream.read(CHUNK)
            if not chunk:
                raise ConnectionResetError("The lock store ended the connection.")
            self._reader.feed(chunk)
        self.owed -= 1
        return reply

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)
