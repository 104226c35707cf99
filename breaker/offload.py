"""Store trips of coroutines, on threads of our own.

The loop itself must not wait for Redis, and its default executor may be full of slow user code.
A ThreadPoolExecutor would not do: the garbage collector may end an abandoned coroutine, which has
a trip to make, within any other's ``submit``, and the lock there knows no second entry.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from .threads import started

T = TypeVar("T")
THREADS = 4


class Trip:
    def __init__(self, make: Callable[[], Any]) -> None:
        self.future: Future[Any] = Future()
        # What is logged on the way belongs to whom the coroutine works for.
        self._context = copy_context()
        self._make = make

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._context.run(self._make)
        except BaseException as error:
            self.future.set_exception(error)
            del self  # or the error, by its traceback, would keep itself and the call
        else:
            self.future.set_result(result)


class Trips:
    """Each step is one atomic act of a queue, a deque or a set, so nobody waits for another."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Trip] = SimpleQueue()
        self._vacant = deque(range(THREADS))
        """Threads that have yet to be started."""
        self._under_way: set[Future[Any]] = set()

    def submit(self, make: Callable[[], T]) -> "Future[T]":
        trip = Trip(make)
        self._under_way.add(trip.future)
        trip.future.add_done_callback(self._under_way.discard)
        self._waiting.put(trip)
        self._start()
        return trip.future

    def drain(self, timeout: float) -> None:
        """Wait until all that was sent is back, or for so many seconds."""
        futures.wait(self._under_way.copy(), timeout)

    def _start(self) -> None:
        try:
            number = self._vacant.pop()
        except IndexError:
            return
        if not started(self._run, f"breaker-trip-{number}"):
            self._vacant.append(number)
            if len(self._vacant) == THREADS:  # nobody else will
                self._run_one()

    def _run_one(self) -> None:
        with suppress(Empty):
            self._waiting.get_nowait().run()

    def _run(self) -> None:
        while True:
            self._waiting.get().run()


_trips = Trips()


def submit(trip: Callable[[], T]) -> "Future[T]":
    return _trips.submit(trip)


async def offload(trip: Callable[[], T]) -> T:
    """The result of ``trip``, which is made even if the waiting task is cancelled."""
    return await asyncio.shield(asyncio.wrap_future(submit(trip)))


def drain(timeout: float) -> None:
    _trips.drain(timeout)


def reset() -> None:
    """In a forked child the threads of the parent are gone."""
    global _trips
    _trips = Trips()
