"""What is published to a connection, as long as the other end lives."""

import socket
import threading
from contextlib import suppress
from typing import Any

import hiredis

from . import clock
from .wires import CHUNK, pack

# Seconds. Silence for so long is questioned, and an unanswered question means a dead connection.
SILENCE = 5.0


class Ear:
    """Heard by one thread at a time, of which any other may ask and end it.

    Raises OSError when the connection has ended, or nothing is heard of it any more.
    """

    def __init__(self, connection: Any) -> None:
        """``connection``: of redis-py's, and from now on nobody else's."""
        self._connection = connection
        self._socket: socket.socket = connection._sock
        # Another socket might have got the number of one that is closed just now.
        self._mutex = threading.Lock()
        self._reader = hiredis.Reader()
        self._since = clock.now()
        # Whoever begins to listen says so, which wants an answer.
        self._asked = True

    def say(self, *words: str) -> None:
        with self._mutex:
            self._socket.sendall(pack(words))

    def hear(self, seconds: float = SILENCE) -> list[Any]:
        """What comes next, or nothing within so long."""
        left = max(self._since + SILENCE - clock.now(), 0.001)
        self._socket.settimeout(min(seconds, left))
        try:
            chunk = self._socket.recv(CHUNK)
        except TimeoutError:
            if left <= seconds:
                self._question()
            return []
        if not chunk:
            raise ConnectionResetError
        self._since, self._asked = clock.now(), False
        self._reader.feed(chunk)
        return list(iter(self._reader.gets, False))

    def _question(self) -> None:
        if self._asked:
            raise ConnectionResetError
        self._since, self._asked = clock.now(), True
        self.say("PING")

    def interrupt(self) -> None:
        """Have whoever hears find the connection ended."""
        with self._mutex, suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._mutex:
            self._connection.disconnect()
