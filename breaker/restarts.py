"""Streams that are begun anew, as long as nothing has come of them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any


class Restarted(Generator[Any, Any, Any]):
    """``persist`` calls a function until it ends well, or gives up."""

    def __init__(
        self,
        persist: Callable[[Callable[[], Any]], Any],
        make: Callable[[], Generator[Any, Any, Any]],
    ) -> None:
        self._persist = persist
        self._make = make
        self._items = make()
        self._begun = False

    def send(self, value: Any) -> Any:
        if self._begun:
            return self._items.send(value)
        item = self._persist(self._begin)
        self._begun = True
        return item

    def throw(self, *error: Any) -> Any:
        return self._items.throw(*error)

    def close(self) -> None:
        self._items.close()

    def _begin(self) -> Any:
        self._items = self._make()
        return next(self._items)


class AsyncRestarted(AsyncGenerator[Any, Any]):
    def __init__(
        self,
        persist: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]],
        make: Callable[[], AsyncGenerator[Any, Any]],
    ) -> None:
        self._persist = persist
        self._make = make
        self._items = make()
        self._begun = False

    async def asend(self, value: Any) -> Any:
        if self._begun:
            return await self._items.asend(value)
        item = await self._persist(self._begin)
        self._begun = True
        return item

    async def athrow(self, *error: Any) -> Any:
        return await self._items.athrow(*error)

    async def aclose(self) -> None:
        await self._items.aclose()

    async def _begin(self) -> Any:
        self._items = self._make()
        return await anext(self._items)
