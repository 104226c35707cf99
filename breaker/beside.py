"""What the parts beside the breaker share: a decorated function stays one of its kind.

Everything passes through a decorated generator: items, values sent, exceptions thrown, the value
returned.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import wraps
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Protocol, TypeVar, cast

from .kinds import Kind, kind_of

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Items = AbstractContextManager[Generator[Any, Any, Any]]
AsyncItems = AbstractAsyncContextManager[AsyncGenerator[Any, Any]]


LAZY: dict[type, Kind] = {
    CoroutineType: Kind.COROUTINE,
    GeneratorType: Kind.GENERATOR,
    AsyncGeneratorType: Kind.ASYNC_GENERATOR,
}
"""Results that have yet to be worked for."""


class Part(Protocol):
    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any: ...

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any: ...

    def items(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Items: ...

    def aitems(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncItems: ...


def decorated(part: Part, function: F) -> F:
    if isinstance(function, classmethod | staticmethod):
        return type(function)(decorated(part, function.__func__))
    check_decorable(function)
    return cast(F, wraps(function)(WRAPPERS[kind_of(function)](part, function)))


def check_decorable(function: object) -> None:
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"Functions and methods can be decorated, not {function!r}.")


def _function(part: Part, function: Callable[..., Any]) -> Callable[..., Any]:
    call = part.call

    def beside(*args: Any, **kwargs: Any) -> Any:
        return call(function, *args, **kwargs)

    return beside


def _coroutine(part: Part, function: Callable[..., Any]) -> Callable[..., Any]:
    acall = part.acall

    async def beside(*args: Any, **kwargs: Any) -> Any:
        return await acall(function, *args, **kwargs)

    return beside


def _generator(part: Part, function: Callable[..., Any]) -> Callable[..., Any]:
    def beside(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with part.items(function, *args, **kwargs) as items:
            return (yield from items)

    return beside


def _async_generator(part: Part, function: Callable[..., Any]) -> Callable[..., Any]:
    async def beside(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        async with part.aitems(function, *args, **kwargs) as items:
            step: Awaitable[Any] = anext(items)
            while True:
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as thrown:
                    step = items.athrow(thrown)
                else:
                    step = items.asend(sent)

    return beside


WRAPPERS = {
    Kind.FUNCTION: _function,
    Kind.COROUTINE: _coroutine,
    Kind.GENERATOR: _generator,
    Kind.ASYNC_GENERATOR: _async_generator,
}


def handed_on(part: Part, result: T) -> T:
    """The result or, if it is a lazy one, what stands for it and passes through the part.

    So wrappers that hand on a coroutine, and clients that return a stream, are covered, too.
    """
    kind = LAZY.get(type(result))
    if kind is None:
        return result
    rest: T = WRAPPERS[kind](part, lambda: result)()
    return rest
