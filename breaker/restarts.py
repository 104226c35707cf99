"""Streams that are begun anew, as long as nothing has come of them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

from .proxies import AsyncProxy, Proxy


class Restarted(Proxy):
    """``persist`` calls a function until it ends well, or gives up."""

    def __init__(
        self,
        persist: Callable[[Callable[[], Any]], Any],
        make: Callable[[], Generator[Any, Any, Any]],
    ) -> None:
        super().__init__(make())
        self._persist = persist
        self._make = make
        self._begun = False

    def send(self, value: Any) -> Any:
        if self._begun:
            return super().send(value)
        item = self._persist(self._begin)
        self._begun = True
        return item

    def _begin(self) -> Any:
        self._items = self._make()
        return next(self._items)


class AsyncRestarted(AsyncProxy):
    def __init__(
        self,
        persist: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]],
        make: Callable[[], AsyncGenerator[Any, Any]],
    ) -> None:
        super().__init__(make())
        self._persist = persist
        self._make = make
        self._begun = False

    async def asend(self, value: Any) -> Any:
        if self._begun:
            return await super().asend(value)
        item = await self._persist(self._begin)
        self._begun = True
        return item

    async def _begin(self) -> Any:
        self._items = self._make()
        return await anext(self._items)
