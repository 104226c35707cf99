"""One connection of a listener, read by the thread it belongs to or by one that waits for news."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, Queue
from typing import Any, NoReturn

import hiredis
import redis

from .hearing import Ear
from .turns import Reader, Turns

Errand = Callable[[], object]


class Conversation:
    """``heard`` is called with each message by whoever reads, who waits for something else: what
    may take long it returns, and then the owner calls that.
    """

    def __init__(self, connection: Any, heard: Callable[[Any], Errand | None]) -> None:
        self._ear = Ear(connection)
        self._heard = heard
        self._turns = Turns()
        # Not a SimpleQueue: that of CPython 3.11 may sleep on in get() when its time is over.
        self._errands: Queue[Errand] = Queue()

    def hold(self, channel: str) -> None:
        """By the owner. Raises OSError or redis.RedisError when it ends."""
        self._ear.say("SUBSCRIBE", channel)
        while True:
            while rest := self._turns.look():
                with suppress(Empty):
                    self._errands.get(timeout=rest)()
            self._hear()
            self._turns.give_way()
            while not self._errands.empty():
                self._errands.get()()

    def read(self, place: Reader, seconds: float) -> bool:
        """For up to so long, if it is for this place to read."""
        if not self._turns.claim(place):
            self._ask_owner()
            return False
        try:
            self._hear(seconds)
        except (ConnectionError, hiredis.HiredisError) as error:
            self._break_off(place, error)
        except BaseException:
            # An interrupt, or a signal handler's error, may have taken with it what was read.
            self._break_off(place, ConnectionAbortedError())
            raise
        return True

    def rest(self, place: Reader, *, alone: bool) -> None:
        """Read no more; ``alone``: nobody else waits for news."""
        if self._turns.leave(place, linger=alone):
            self._errands.put(_look)

    def attend(self) -> None:
        """Somebody who cannot read waits for news."""
        if self._turns.hurry():
            self._errands.put(_look)

    def interrupt(self) -> None:
        """From any thread: whoever reads finds that it ended."""
        self._ear.interrupt()

    def close(self) -> None:
        """By the owner, when nobody else reads any more."""
        self._ear.interrupt()
        while rest := self._turns.look():
            with suppress(Empty):
                self._errands.get(timeout=rest)
        self._ear.close()

    def _hear(self, *seconds: float) -> None:
        for message in self._ear.hear(*seconds):
            if errand := self._meant(message):
                self._errands.put(errand)

    def _meant(self, message: Any) -> Errand | None:
        try:
            return self._heard(message)
        except (ValueError, redis.RedisError) as error:  # no concern of who reads it
            return partial(_fail, error)

    def _ask_owner(self) -> None:
        """Who hears any answer, and then gives way."""
        if self._turns.ask():
            with suppress(OSError):  # which it finds out by itself
                self._ear.say("PING")

    def _break_off(self, place: Reader, error: Exception) -> None:
        self._turns.fail(place)
        self._errands.put(partial(_fail, error))


def _look() -> None:
    """Be awake, no more."""


def _fail(error: Exception) -> NoReturn:
    raise error
