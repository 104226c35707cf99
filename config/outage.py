"""A store that fails is left alone for a while: an outage must not cost each request a time-out."""

import logging
from threading import Lock
from time import monotonic

import redis

logger = logging.getLogger(__name__)

PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds until somebody asks again, after the first failure and after many."""


class Outage:
    def __init__(self, meaning: str) -> None:
        """``meaning`` says in the log what is different while it lasts."""
        self._meaning = meaning
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        self._failures = 0
        self._again = 0.0

    def may_ask(self) -> bool:
        """During an outage, one caller after each pause."""
        if not self._failures:
            return True
        with self._lock:
            if (now := monotonic()) < self._again:
                return False
            self._again = now + self._pause()
            return True

    def failed(self, error: redis.RedisError) -> None:
        with self._lock:
            self._failures += 1
            self._again = monotonic() + self._pause()
            first = self._failures == 1
        if first:
            logger.warning("While the store is out of reach %s: %r", self._meaning, error)

    def answered(self) -> None:
        if self._failures:
            self.reset()
            logger.warning("The store is back: no longer is it so that %s", self._meaning)

    def _pause(self) -> float:
        return min(PAUSE * 2.0 ** min(self._failures, 10), LONGEST_PAUSE)
