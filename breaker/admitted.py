"""What is done within a call, once it is admitted."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
)
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from typing import Any, ParamSpec, TypeVar

from .beside import LAZY, handed_on
from .call import Call
from .streams import awaited, waited

P = ParamSpec("P")
T = TypeVar("T")


class Admitted:
    def __init__(self, call: Call) -> None:
        self._call = call

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._call as call:
            return self._ended(call, function(*args, **kwargs))

    async def acall(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async with self._call as call:
            call.resume()
            return self._ended(call, await function(*args, **kwargs))

    @contextmanager
    def items(
        self, function: Callable[..., Generator[Any, Any, Any]], /, *args: Any, **kwargs: Any
    ) -> Iterator[Generator[Any, Any, Any]]:
        with self._call as call, closing(function(*args, **kwargs)) as items:
            yield waited(call, items)

    @asynccontextmanager
    async def aitems(
        self, function: Callable[..., AsyncGenerator[Any, Any]], /, *args: Any, **kwargs: Any
    ) -> AsyncIterator[AsyncGenerator[Any, Any]]:
        async with self._call as call, aclosing(function(*args, **kwargs)) as items:
            yield awaited(call, items)

    def _ended(self, call: Call, result: T) -> T:
        if type(result) in LAZY:
            call.prolong()
            return prolonged(call, result)
        call.judge(result)
        return result


def prolonged(call: Call, result: T) -> T:
    """A lazy result that stands for ``result`` and ends the call when it ends itself."""
    call.rest()
    return handed_on(Admitted(call), result)
