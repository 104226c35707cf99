"""What to answer instead of a call that was refused."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable
from contextlib import aclosing, closing
from functools import partial
from inspect import isawaitable
from typing import Any, ParamSpec

from .beside import WRAPPERS, AsyncItems, Items, Part
from .errors import CircuitOpenError, PolicyError
from .kinds import Kind, kind_of
from .proxies import AsyncProxy, Proxy
from .streams import aeach, each

P = ParamSpec("P")
Fallback = Callable[..., Any]
PLAIN = (Kind.FUNCTION, Kind.GENERATOR)


def checked(fallback: object) -> Fallback | None:
    if fallback is not None and not callable(fallback):
        raise PolicyError(f"fallback must be a function of the call's arguments, not {fallback!r}.")
    return fallback


def fitting(fallback: Fallback, function: Callable[..., Any]) -> Fallback:
    """Raises PolicyError for one whose answer nobody would await."""
    if kind_of(function) in PLAIN and kind_of(fallback) not in PLAIN:
        raise PolicyError(
            f"The fallback of plain code must be plain itself, not {fallback!r}; "
            "a function that hands on a coroutine is."
        )
    return fallback


class WithFallback:
    """The ``part``, but for the calls that it does not begin: these are for ``fallback``.

    A call that has begun is not made up for, not even one that met an open circuit further in.
    The fallback stands outside: what it raises is judged by nobody here.
    """

    def __init__(self, part: Part, fallback: Fallback) -> None:
        self._part = part
        self._fallback = fallback

    def call(self, function: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Any:
        begun = _Begun(function)
        try:
            return self._part.call(begun, *args, **kwargs)
        except CircuitOpenError:
            if begun.yet:
                raise
        return self._fallback(*args, **kwargs)

    async def acall(
        self, function: Callable[P, Awaitable[Any]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Any:
        begun = _Begun(function)
        try:
            return await self._part.acall(begun, *args, **kwargs)
        except CircuitOpenError:
            if begun.yet:
                raise
        answer = self._fallback(*args, **kwargs)
        return await answer if isawaitable(answer) else answer

    def items(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Items:
        begun = _Begun(function)
        items = WRAPPERS[Kind.GENERATOR](self._part, begun)(*args, **kwargs)
        return closing(_Items(begun, items, partial(self._fallback, *args, **kwargs)))

    def aitems(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncItems:
        begun = _Begun(function)
        items = WRAPPERS[Kind.ASYNC_GENERATOR](self._part, begun)(*args, **kwargs)
        return aclosing(_AsyncItems(begun, items, partial(self._fallback, *args, **kwargs)))


class _Begun:
    """A function for one call, that knows whether it has come to it."""

    __slots__ = ("_function", "yet")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.yet = False

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        self.yet = True
        return self._function(*args, **kwargs)


class _Items(Proxy):
    def __init__(
        self, begun: _Begun, items: Generator[Any, Any, Any], answer: Callable[[], Any]
    ) -> None:
        super().__init__(items)
        self._begun = begun
        self._answer = answer

    def send(self, value: Any) -> Any:
        try:
            return super().send(value)
        except CircuitOpenError:
            if self._begun.yet:
                raise
        self._begun.yet = True
        self._items = each(self._answer())
        return next(self._items)


class _AsyncItems(AsyncProxy):
    def __init__(
        self, begun: _Begun, items: AsyncGenerator[Any, Any], answer: Callable[[], Any]
    ) -> None:
        super().__init__(items)
        self._begun = begun
        self._answer = answer

    async def asend(self, value: Any) -> Any:
        try:
            return await super().asend(value)
        except CircuitOpenError:
            if self._begun.yet:
                raise
        self._begun.yet = True
        self._items = await _async_items(self._answer())
        return await anext(self._items)


async def _async_items(answer: Any) -> AsyncGenerator[Any, Any]:
    """Of an async iterable, a plain one, or a coroutine that gives one of them."""
    if isawaitable(answer):
        answer = await answer
    if isinstance(answer, AsyncGenerator):
        return answer
    return aeach(answer if isinstance(answer, AsyncIterable) else _later(answer))


async def _later(items: Iterable[Any]) -> AsyncGenerator[Any, None]:
    for item in items:
        yield item
