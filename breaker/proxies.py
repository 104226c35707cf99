"""Generators that stand for another, and have a say in each of its steps."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any


class Proxy(Generator[Any, Any, Any]):
    def __init__(self, items: Generator[Any, Any, Any]) -> None:
        self._items = items

    def send(self, value: Any) -> Any:
        return self._step(self._items.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._items.throw, *error)

    def close(self) -> None:
        self._items.close()

    def _step(self, resume: Callable[..., Any], *args: Any) -> Any:
        return resume(*args)


class AsyncProxy(AsyncGenerator[Any, Any]):
    def __init__(self, items: AsyncGenerator[Any, Any]) -> None:
        self._items = items

    async def asend(self, value: Any) -> Any:
        return await self._step(self._items.asend, value)

    async def athrow(self, *error: Any) -> Any:
        return await self._step(self._items.athrow, *error)

    async def aclose(self) -> None:
        await self._items.aclose()

    async def _step(self, resume: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        return await resume(*args)
