"""How long a call may take.

A coroutine is ended from outside when its time is over. A thread cannot be: whoever walks away
from one leaves it running, with its connections and locks, and soon has more of them than places
to put them. So a limit on plain code is a deadline that the code within, above all its clients,
asks for with ``time_left``; what pays no heed runs on, and its late result is returned, because
it may have been paid for.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, closing
from time import monotonic
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from .beside import AsyncItems, Items, decorated, handed_on
from .bounds import number
from .deadline import Alarm, Deadline
from .proxies import AsyncProxy, Proxy

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
T = TypeVar("T")


def time_limit(seconds: float) -> "TimeLimit":
    """Limit each call of a function, or the body of a ``with`` or ``async with``.

    Of a generator only the waiting for its items counts, not what its reader does between them.
    Around plain code it is a deadline for ``time_left``. Raises PolicyError.
    """
    return TimeLimit(number("seconds", seconds, low=0.001))


class TimeLimit:
    """A decorator for any number of functions, or a context manager for one use at a time."""

    __slots__ = ("_deadline", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._deadline: Deadline | None = None

    def __call__(self, function: F) -> F:
        return decorated(self, function)

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with Deadline(self.seconds):
            result = function(*args, **kwargs)
        return handed_on(self, result)

    async def acall(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with Alarm(self.seconds):
            return await function(*args, **kwargs)

    def items(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Items:
        return closing(_Items(function(*args, **kwargs), self.seconds))

    def aitems(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncItems:
        return aclosing(_AsyncItems(function(*args, **kwargs), self.seconds))

    def __enter__(self) -> None:
        self._begin(Deadline(self.seconds))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline:
            deadline.__exit__(kind, error, traceback)

    async def __aenter__(self) -> None:
        self._begin(Alarm(self.seconds))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _begin(self, deadline: Deadline) -> None:
        if self._deadline:
            raise TypeError("As a context manager a time limit has one use at a time.")
        deadline.__enter__()
        self._deadline = deadline


class _Items(Proxy):
    def __init__(self, items: Generator[Any, Any, Any], seconds: float) -> None:
        super().__init__(items)
        self._seconds = self._left = seconds

    def _step(self, resume: Callable[..., Any], *args: Any) -> Any:
        began = monotonic()
        try:
            with Deadline(self._seconds, self._left):
                return resume(*args)
        finally:
            self._left -= monotonic() - began


class _AsyncItems(AsyncProxy):
    def __init__(self, items: AsyncGenerator[Any, Any], seconds: float) -> None:
        super().__init__(items)
        self._seconds = self._left = seconds

    async def _step(self, resume: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        began = monotonic()
        try:
            with Alarm(self._seconds, self._left):
                return await resume(*args)
        finally:
            self._left -= monotonic() - began
