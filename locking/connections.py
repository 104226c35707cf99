"""The connections of a process by cache alias, and those of its event loops."""

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Any
from weakref import WeakKeyDictionary

import redis
from django.core.signals import setting_changed
from django.dispatch import receiver

from .async_lines import AsyncLine
from .cluster import AsyncClusterLine, ClusterLine, Nodes
from .lines import Line
from .pools import AsyncPool, Pool
from .targets import target

Store = Pool | Nodes[Pool]
AsyncStore = AsyncPool | Nodes[AsyncPool]
AnyLine = Line | ClusterLine
AnyAsyncLine = AsyncLine | AsyncClusterLine

_stores: dict[str, Store] = {}
AsyncStores = dict[str, tuple[AsyncStore, AsyncGenerator[None, None]]]
_async_stores: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncStores] = WeakKeyDictionary()


def line(alias: str) -> AnyLine:
    found = store(alias)
    return Line(found) if isinstance(found, Pool) else ClusterLine(found)


async def async_line(alias: str) -> AnyAsyncLine:
    found = await async_store(alias)
    return AsyncLine(found) if isinstance(found, AsyncPool) else AsyncClusterLine(found)


def dial(alias: str) -> Any:
    """A connection of redis-py's for somebody who keeps it. Not for a cluster."""
    found = store(alias)
    if isinstance(found, Nodes):
        raise redis.ConnectionError("Which node?")
    return found.dial()


def store(alias: str) -> Store:
    found = _stores.get(alias)
    if found is None:
        to = target(alias)
        found = _stores.setdefault(alias, Nodes(to, Pool) if to.seeds else Pool(to))
    return found


async def async_store(alias: str) -> AsyncStore:
    stores = _async_stores.setdefault(asyncio.get_running_loop(), {})
    if alias not in stores:
        _drop_closed()
        to = target(alias)
        made = Nodes(to, AsyncPool) if to.seeds else AsyncPool(to)
        stores[alias] = made, _closing_with_loop(made, stores, alias)
        await anext(stores[alias][1])
    return stores[alias][0]


def _drop_closed() -> None:
    """What a loop left that did not shut down its generators refers to it, so never goes alone."""
    for known in _async_stores.keyrefs():
        loop = known()
        if loop and loop.is_closed():
            _async_stores.pop(loop, None)


async def _closing_with_loop(
    store: AsyncStore, stores: AsyncStores, alias: str
) -> AsyncGenerator[None, None]:
    """A loop tells nobody that it ends, save the asynchronous generators it has begun."""
    try:
        yield
    finally:
        # The generator refers to the loop, which would live as long as this entry.
        stores.pop(alias)
        for pool in store.pools if isinstance(store, Nodes) else [store]:
            await pool.drop_idle()


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "CACHES":
        _stores.clear()
        _async_stores.clear()


_inherited: list[Any] = []


def _leave_to_parent() -> None:
    # Kept for ever: thrown away, they would have the parent's loops close them.
    _inherited.extend(_async_stores.items())
    _stores.clear()
    _async_stores.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
