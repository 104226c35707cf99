"""What is published to a connection, as long as the other end lives."""

import select
import socket
import ssl
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

    Who hears gets a ConnectionError, or one of hiredis, when the connection has ended or nothing
    is heard of it any more. All else is from a signal handler.
    """

    def __init__(self, connection: Any) -> None:
        """``connection``: of redis-py's, and from now on nobody else's."""
        self._connection = connection
        self._socket: socket.socket = connection._sock
        self._arrivals = select.poll()
        self._arrivals.register(self._socket, select.POLLIN)
        # TLS bears but one thread at a time. And another socket might have got the number of one
        # that is closed just now.
        self._mutex = threading.Lock()
        self._reader = hiredis.Reader()
        self._since = clock.now()
        # Whoever begins to listen says so, which wants an answer.
        self._asked = True

    def say(self, *words: str) -> None:
        """Raises OSError."""
        with self._mutex:
            self._socket.settimeout(SILENCE)
            self._socket.sendall(pack(words))

    def hear(self, seconds: float = SILENCE) -> list[Any]:
        """What comes next, or nothing within so long, or nothing yet."""
        left = max(self._since + SILENCE - clock.now(), 0.001)
        if self._arrivals.poll(1000 * min(seconds, left)):
            return self._received()
        if left <= seconds:
            self._question()
        return []

    def _received(self) -> list[Any]:
        try:
            with self._mutex:
                self._socket.settimeout(0)
                chunk = self._socket.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return []
        except OSError as error:
            raise ConnectionResetError from error
        if not chunk:
            raise ConnectionResetError
        self._since, self._asked = clock.now(), False
        self._reader.feed(chunk)
        return list(iter(self._reader.gets, False))

    def _question(self) -> None:
        if self._asked:
            raise ConnectionResetError
        self._since, self._asked = clock.now(), True
        try:
            self.say("PING")
        except OSError as error:
            raise ConnectionResetError from error

    def interrupt(self) -> None:
        """Have whoever hears find the connection ended."""
        with self._mutex, suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._mutex:
            self._connection.disconnect()
