"""Messages for one thread, which waits for them and for a file at once."""

import math
import os
import select
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar

Message = TypeVar("Message")


class Inbox(Generic[Message]):
    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        self._lock = Lock()
        self._open = True

    def put(self, message: Message) -> None:
        """From any thread. A message that comes too late is lost."""
        self._messages.append(message)
        with self._lock, suppress(BlockingIOError):
            if self._open:
                os.write(self._writer, b"\0")

    def receive(self, *, timeout: float, beside: int | None = None) -> list[Message]:
        """What has arrived, waiting until something has or ``beside`` can be read."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        if beside is not None:
            poll.register(beside, select.POLLIN)
        poll.poll(math.ceil(max(timeout, 0) * 1000))
        with suppress(BlockingIOError):
            os.read(self._reader, 65536)
        return self._drain()

    def _drain(self) -> list[Message]:
        found = []
        with suppress(IndexError):
            while True:
                found.append(self._messages.popleft())
        return found

    def close(self) -> None:
        with self._lock:
            self.disown()

    def disown(self) -> None:
        """In a forked child, where another thread may have held the lock for ever."""
        if self._open:
            self._open = False
            os.close(self._reader)
            os.close(self._writer)
