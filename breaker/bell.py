"""Wakes the agent while it waits, from any thread, also while it listens to a connection."""

import select
import socket
from contextlib import suppress


class Bell:
    def __init__(self) -> None:
        self._mouth, self._ear = socket.socketpair()
        self._mouth.setblocking(False)
        self._ear.setblocking(False)

    def ring(self) -> None:
        # A full buffer has rung long enough; a closed one is that of a thread that has ended.
        with suppress(OSError):
            self._mouth.send(b"!")

    def wait(self, seconds: float, other: socket.socket | None = None) -> bool:
        """Until the bell rings, the other socket has something to read, or the time is over.

        Whether it was the other socket.
        """
        arrivals = select.poll()
        for one in (self._ear, other):
            if one:
                arrivals.register(one, select.POLLIN)
        ready = {number for number, _ in arrivals.poll(max(seconds, 0) * 1000)}
        if self._ear.fileno() in ready:
            self._ear.recv(4096)
        return other is not None and other.fileno() in ready

    def close(self) -> None:
        self._mouth.close()
        self._ear.close()
