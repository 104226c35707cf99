"""A flow's place among those that wait for news, in two colours."""

import asyncio
import threading
from contextlib import suppress

from . import clock
from .listening import listener
from .steps import Listen, News


class Seat:
    """The listener knows of it once it is taken. ``fence`` is that of the lock handed over, or 0.

    Most locks are free, so there is no bell before somebody waits. Whoever wakes raises the flag
    and then looks for the bell; whoever waits sets up the bell and then looks at the flag.
    """

    __slots__ = ("_alias", "_channel", "_listener", "_token", "fence", "woken")

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._token = ""
        self.woken = False
        self.fence = 0

    def take(self, step: Listen) -> bool:
        """Whether somebody has to begin to listen first; that will wake the flow."""
        self._listener = listener(self._alias)
        if step.seconds <= 0 and not self._listener.hears(step.channel):
            return False
        self._token, self._channel = step.token, step.channel
        if self._listener.add(step.token, step.channel, self):
            return False
        self._listener.start(step.channel)
        return step.seconds > 0

    @property
    def news(self) -> News:
        return self._listener.news(self._channel) if self._token else News.NONE

    def leave(self) -> None:
        if self._token:
            self._listener.remove(self._token)

    def wake(self) -> None:
        """From any thread."""
        self.woken = True
        self.ring()

    def ring(self) -> None:
        raise NotImplementedError


class ThreadSeat(Seat):
    __slots__ = ("_bell",)

    def __init__(self, alias: str) -> None:
        super().__init__(alias)
        self._bell: threading.Lock | None = None

    def ring(self) -> None:
        if self._bell:
            with suppress(RuntimeError):  # it rings already
                self._bell.release()

    def wait(self, seconds: float) -> None:
        if self._bell is None:
            bell = threading.Lock()
            bell.acquire()
            self._bell = bell
        until = clock.now() + seconds
        try:
            while not self.woken and (left := until - clock.now()) > 0:
                if not self._listener.read(self, left):
                    self._bell.acquire(timeout=left)
        finally:
            self._listener.rest(self)
        self.woken = False

    def leave(self) -> None:
        if self._token:
            # Said once more, in case an interrupt kept it from being done.
            if self._bell:
                self._listener.rest(self)
            self._listener.remove(self._token)


class TaskSeat(Seat):
    __slots__ = ("_bell", "_loop")

    def __init__(self, alias: str) -> None:
        super().__init__(alias)
        self._loop = asyncio.get_running_loop()
        self._bell: asyncio.Event | None = None

    def ring(self) -> None:
        if self._bell:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._bell.set)

    async def wait(self, seconds: float) -> None:
        if self._bell is None:
            self._bell = asyncio.Event()
        if not self.woken:
            self._listener.attend()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._bell.wait()
        self._bell.clear()
        self.woken = False
