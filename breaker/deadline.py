"""Until when the code that runs now has time.

Deadlines nest, and the earliest end holds. Threads see those around them where their starter
copies the context, as ``asyncio.to_thread`` and ``sync_to_async`` do.
"""

import asyncio
from contextvars import ContextVar
from math import inf
from time import monotonic
from types import TracebackType
from typing import Any, overload

from .errors import TimeLimitExceeded

_deadline: ContextVar[tuple[float, float]] = ContextVar("deadline", default=(inf, inf))
"""Its monotonic second, and the seconds of the limit that set it."""


def ends_at() -> float:
    """Monotonic seconds; infinite where nothing limits the time."""
    return _deadline.get()[0]


@overload
def time_left() -> float | None: ...
@overload
def time_left(at_most: float) -> float: ...
def time_left(at_most: float | None = None) -> float | None:
    """Seconds to give to a client as its time-out: ``requests.get(url, timeout=time_left(10))``.

    None, or ``at_most``, where nothing limits the time. Raises TimeLimitExceeded if none is left,
    since a time-out of 0 means other things to other clients.
    """
    end, seconds = _deadline.get()
    if end == inf:
        return at_most
    left = end - monotonic()
    if left <= 0:
        raise TimeLimitExceeded(seconds)
    return left if at_most is None else min(left, at_most)


class Deadline:
    """For the body of one ``with``, which is not ended by it but can ask for it.

    ``left`` is what remains of the ``seconds``.
    """

    __slots__ = ("_left", "_outer", "_seconds")

    def __init__(self, seconds: float, left: float | None = None) -> None:
        self._seconds = seconds
        self._left = seconds if left is None else left

    def __enter__(self) -> None:
        self._outer = _deadline.get()
        _deadline.set(min(self._outer, (monotonic() + self._left, self._seconds)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _deadline.set(self._outer)


class Alarm(Deadline):
    """A deadline that ends the body, by cancelling the task it runs in.

    By the rules of ``asyncio.timeout``, at half its cost: a cancellation from elsewhere stays
    one. Raises TimeLimitExceeded from the CancelledError that tells where the time was spent.
    """

    __slots__ = ("_cancelling", "_rang", "_task", "_timer")

    def __enter__(self) -> None:
        self._task = _current_task()
        self._cancelling = self._task.cancelling()
        self._rang = False
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + self._left, self._ring)
        super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _deadline.set(self._outer)
        self._timer.cancel()
        if self._rang and self._ended(error):
            raise TimeLimitExceeded(self._seconds) from error

    def _ring(self) -> None:
        self._rang = True
        self._task.cancel()

    def _ended(self, error: BaseException | None) -> bool:
        """Whether it was this alarm, and no other cancellation, that ended the body."""
        alone = self._task.uncancel() <= self._cancelling
        return alone and isinstance(error, asyncio.CancelledError)


def _current_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("There is no task to limit.")
    return task
