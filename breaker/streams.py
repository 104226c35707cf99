"""Calls whose answer comes in pieces: admitted at the first piece, judged after the last.

A consumer that stops early says nothing about the dependency, so closing is neutral.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
)
from contextlib import aclosing
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from .breaker import Breaker

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")
Find = Callable[P, "Breaker"]


def guarded_generator(
    find: "Find[P]", function: Callable[P, Generator[T, S, R]]
) -> Callable[P, Generator[T, S, R]]:
    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Generator[T, S, R]:
        with find(*args, **kwargs).allow():
            return (yield from function(*args, **kwargs))

    return guarded


def guarded_async_generator(
    find: "Find[P]", function: Callable[P, AsyncGenerator[T, S]]
) -> Callable[P, AsyncGenerator[T, S]]:
    @wraps(function)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, S]:
        async with (
            await find(*args, **kwargs).aallow(),
            aclosing(function(*args, **kwargs)) as inner,
        ):
            step: Awaitable[T] = anext(inner)
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
                    step = inner.athrow(thrown)
                else:
                    step = inner.asend(sent)

    return guarded


def guarded_items(breaker: "Breaker", items: Iterable[T]) -> Generator[T, None, None]:
    with breaker.allow():
        yield from items


async def guarded_async_items(
    breaker: "Breaker", items: AsyncIterator[T]
) -> AsyncGenerator[T, None]:
    async with await breaker.aallow():
        try:
            async for item in items:
                yield item
        finally:
            # An abandoned generator would keep its connection until it is collected.
            if isinstance(items, AsyncGenerator):
                await items.aclose()
