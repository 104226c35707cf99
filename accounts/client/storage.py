"""Where tokens are kept between calls, and, if several processes share them, between processes."""

from typing import Protocol


class Storage(Protocol):
    """A place for one text, which holds secrets, and a lock for those who replace it.

    Whoever shares refresh tokens without sharing the lock has them taken for stolen by the server.
    """

    def acquire(self) -> bool:
        """Take the lock, without waiting for it; whether it was free."""

    def release(self) -> None: ...

    def load(self) -> str | None:
        """What was saved last."""

    def save(self, text: str) -> None: ...


class MemoryStorage:
    """For one session in one process, which has a lock of its own."""

    def __init__(self) -> None:
        self._text: str | None = None

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass

    def load(self) -> str | None:
        return self._text

    def save(self, text: str) -> None:
        self._text = text
