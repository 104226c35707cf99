"""A flow's place among those that wait for news, in two colours."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from .flows import Listen, News
from .listening import listener


class Waiter:
    """A thread's place to wait for news on its token."""

    def __init__(self) -> None:
        self._bell = threading.Lock()
        self._bell.acquire()

    def wake(self) -> None:
        with suppress(RuntimeError):  # it rings already
            self._bell.release()

    def wait(self, seconds: float) -> None:
        self._bell.acquire(timeout=seconds)


class AsyncWaiter:
    """A task's place to wait for news on its token."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._bell = asyncio.Event()

    def wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._bell.set)

    async def wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        self._bell.clear()


W = TypeVar("W", Waiter, AsyncWaiter)


class Seat(Generic[W]):
    """A flow's place among those that wait; the listener knows of it once it is taken."""

    __slots__ = ("_alias", "_channel", "_listener", "_make", "_token", "waiter")

    def __init__(self, alias: str, make: Callable[[], W]) -> None:
        self._alias = alias
        self._make: Callable[[], W] = make
        self._token = ""

    def take(self, step: Listen) -> bool:
        """Whether somebody has to begin to listen first; that will wake the waiter."""
        self._listener = listener(self._alias)
        up = self._listener.hears(step.channel)
        begin = not up and step.seconds > 0
        if up or begin:
            self._token, self._channel = step.token, step.channel
            self.waiter: W = self._make()
            self._listener.add(step.token, step.channel, self.waiter.wake)
        if begin:
            self._listener.start(step.channel)
        return begin

    @property
    def news(self) -> News:
        return self._listener.news(self._channel) if self._token else News.NONE

    def leave(self) -> None:
        if self._token:
            self._listener.remove(self._token)
