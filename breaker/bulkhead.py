"""No more than so many calls of one dependency at a time, in this process.

It bounds the threads, tasks and connections that a slow dependency can hold up.
"""

import os
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
)
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from time import monotonic
from types import TracebackType
from typing import Any, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from .beside import decorated, handed_on
from .bounds import number, whole
from .deadline import ends_at
from .errors import BulkheadFull, PolicyError
from .names import canonical
from .places import Places, TaskWaiter, ThreadWaiter, Waiter

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
T = TypeVar("T")

RETRY_AFTER = 1.0
"""Seconds; a guess, because nobody knows how long calls take."""

_places: "WeakValueDictionary[str, Places]" = WeakValueDictionary()
_naming = threading.Lock()


def bulkhead(name: str, *, limit: int, max_wait: float = 0.0) -> "Bulkhead":
    """At most ``limit`` calls at a time of all that bear the ``name``, threads and tasks together.

    A call waits up to ``max_wait`` seconds for its place, in the order of arrival, and is refused
    with BulkheadFull if none becomes free. Raises PolicyError, also when the name has another
    limit already, and CircuitNameError.
    """
    waits = number("max_wait", max_wait, low=0)
    return Bulkhead(canonical(name), _places_of(canonical(name), whole("limit", limit)), waits)


def _places_of(name: str, limit: int) -> Places:
    """Forgotten when nobody can be in one of them any more."""
    with _naming:
        places = _places.get(name)
        if places is None:
            places = _places[name] = Places(limit)
    if places.count != limit:
        raise PolicyError(f"The bulkhead {name!r} has a limit of {places.count}, not {limit}.")
    return places


class Bulkhead:
    """A decorator and a context manager, sync and async, for any number of uses at a time."""

    __slots__ = ("_places", "max_wait", "name")

    def __init__(self, name: str, places: Places, max_wait: float) -> None:
        self.name = name
        self.max_wait = max_wait
        self._places = places

    @property
    def limit(self) -> int:
        return self._places.count

    @property
    def taken(self) -> int:
        return self._places.taken

    @property
    def waiting(self) -> int:
        return self._places.waiting

    def __call__(self, function: F) -> F:
        return decorated(self, function)

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self:
            result = function(*args, **kwargs)
        return handed_on(self, result)

    async def acall(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async with self:
            return await function(*args, **kwargs)

    @contextmanager
    def items(
        self, function: Callable[..., Generator[Any, Any, Any]], /, *args: Any, **kwargs: Any
    ) -> Iterator[Generator[Any, Any, Any]]:
        with self, closing(function(*args, **kwargs)) as items:
            yield items

    @asynccontextmanager
    async def aitems(
        self, function: Callable[..., AsyncGenerator[Any, Any]], /, *args: Any, **kwargs: Any
    ) -> AsyncIterator[AsyncGenerator[Any, Any]]:
        async with self, aclosing(function(*args, **kwargs)) as items:
            yield items

    def __enter__(self) -> None:
        if not self._places.take():
            waiter = ThreadWaiter()
            with self._in_line(waiter) as seconds:
                waiter.wait(seconds)

    async def __aenter__(self) -> None:
        if not self._places.take():
            waiter = TaskWaiter()
            with self._in_line(waiter) as seconds:
                await waiter.wait(seconds)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._places.give_back()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._places.give_back()

    @contextmanager
    def _in_line(self, waiter: Waiter) -> Iterator[float]:
        """Gives the seconds to wait; at its end the waiter has a place, or BulkheadFull."""
        seconds = min(self.max_wait, ends_at() - monotonic())
        if seconds <= 0:
            raise self._full()
        self._places.join(waiter)
        try:
            yield seconds
        except BaseException:
            if not self._places.leave(waiter):
                self._places.give_back()
            raise
        if self._places.leave(waiter):
            raise self._full()

    def _full(self) -> BulkheadFull:
        return BulkheadFull(self.name, self.limit, RETRY_AFTER)


def _begin_anew() -> None:
    """In a forked child nobody is in a place, and nobody waits."""
    global _naming
    _naming = threading.Lock()
    for places in list(_places.values()):
        places.clear()


os.register_at_fork(after_in_child=_begin_anew)
