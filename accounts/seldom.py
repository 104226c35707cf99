"""Saying something once in a while, however often there is reason to."""

import time
from collections.abc import Callable

MOST = 4_096


class Seldom:
    """In each process. Two threads at one instant may both be told yes."""

    def __init__(self, pause: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``pause`` in seconds."""
        self._pause, self._clock = pause, clock
        self._again: dict[str, float] = {}

    def due(self, subject: str) -> bool:
        """Whether it is time to speak of ``subject``; if so, then not again for the pause."""
        now = self._clock()
        if now < self._again.get(subject, now):
            return False
        if len(self._again) >= MOST:
            self._again.clear()
        self._again[subject] = now + self._pause
        return True
