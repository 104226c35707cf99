"""Calls whose answer comes in pieces: of their time only the waiting for each piece counts.

What their reader does between two pieces says nothing about the dependency.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Generator,
    Iterable,
)
from typing import Any, TypeVar

from .call import Call
from .proxies import AsyncProxy, Proxy

T = TypeVar("T")


def waited(call: Call, items: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    return _Waits(call, items) if call.watched else items


def awaited(call: Call, items: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    return _AsyncWaits(call, items) if call.watched else items


def each(items: Iterable[T]) -> Generator[T, Any, Any]:
    return (yield from items)


async def aeach(items: AsyncIterable[T]) -> AsyncGenerator[T, None]:
    try:
        async for item in items:
            yield item
    finally:
        # An abandoned generator would keep its connection until it is collected.
        if isinstance(items, AsyncGenerator):
            await items.aclose()


class _Waits(Proxy):
    def __init__(self, call: Call, items: Generator[Any, Any, Any]) -> None:
        super().__init__(items)
        self._call = call

    def _step(self, resume: Callable[..., Any], *args: Any) -> Any:
        self._call.resume()
        try:
            return resume(*args)
        finally:
            self._call.rest()


class _AsyncWaits(AsyncProxy):
    def __init__(self, call: Call, items: AsyncGenerator[Any, Any]) -> None:
        super().__init__(items)
        self._call = call

    async def _step(self, resume: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        self._call.resume()
        try:
            return await resume(*args)
        finally:
            self._call.rest()
