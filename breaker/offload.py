"""Store trips of coroutines, on threads of our own.

The loop itself must not wait for Redis, and its default executor may be full of slow user code.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")
THREADS = 4


@lru_cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="breaker-trip")


def submit(trip: Callable[[], T]) -> "Future[T]":
    return _pool().submit(trip)


async def offload(trip: Callable[[], T]) -> T:
    """The result of ``trip``, which is made even if the waiting task is cancelled."""
    return await asyncio.shield(asyncio.wrap_future(submit(trip)))


def reset() -> None:
    """In a forked child the threads of the parent are gone."""
    _pool.cache_clear()
