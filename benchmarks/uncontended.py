"""A lock nobody else wants, taken and released: ours with all its features on."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from statistics import median

from redis import asyncio as aredis
from redis.commands.core import AsyncScript

from locking import lock

from .contenders import (
    LEASE,
    OURS,
    POTTERY,
    PYTHON_REDIS_LOCK,
    REDIS_PY,
    Section,
    section,
)
from .rounds import interleave, ratio
from .rows import Budget, Row
from .store import client, url

Trial = Callable[[], float]

NAME = "uncontended"
BUDGET = Budget("≤", 1.0)
RAW = "raw pair"
# Cycles before each trial: the other libraries share most of the code that they run, ours does not.
WARM_UP = 10
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


def measure(
    peers: Sequence[str] = (REDIS_PY, PYTHON_REDIS_LOCK, POTTERY),
    *,
    rounds: int = 200,
    cycles: int = 20,
) -> list[Row]:
    return [*_sync(peers, rounds, cycles), _async(rounds, cycles)]


def _sync(peers: Sequence[str], rounds: int, cycles: int) -> list[Row]:
    reused = lock(NAME)
    trials: dict[str, Trial] = {
        RAW: _trial(_raw_pair(), cycles),
        "fresh": _trial(_cycle(lock), cycles),
        "reused": _trial(_cycle(lambda _: reused), cycles),
        **{peer: _trial(_cycle(section(peer)), cycles) for peer in peers},
    }
    seconds = interleave(trials, rounds=rounds)
    beside = {name: 1e6 * median(seconds[name]) for name in (RAW, *peers)}
    return [
        Row(
            what=f"lock + release, {kind} Lock",
            ours=1e6 * median(seconds[kind]),
            unit="µs",
            peers=beside,
            ratio=ratio(seconds[kind], seconds[RAW]),
            budget=budget,
        )
        # The script of the raw pair is registered before: its equal is a lock made before.
        for kind, budget in (("reused", BUDGET), ("fresh", None))
    ]


def _trial(cycle: Callable[[], None], cycles: int) -> Trial:
    def seconds_per_cycle() -> float:
        for _ in range(WARM_UP):
            cycle()
        began = time.perf_counter()
        for _ in range(cycles):
            cycle()
        return (time.perf_counter() - began) / cycles

    return seconds_per_cycle


def _raw_pair() -> Callable[[], None]:
    """As redis-py's users write it: a token of its own for each lock, and a registered script."""
    store = client()
    release = store.register_script(RELEASE)

    def cycle() -> None:
        token = os.urandom(16).hex()
        store.set("raw", token, nx=True, px=LEASE * 1000)
        release(keys=("raw",), args=(token,))

    return cycle


def _cycle(make: Section) -> Callable[[], None]:
    def cycle() -> None:
        with make(NAME):
            pass

    return cycle


def _async(rounds: int, cycles: int) -> Row:
    with asyncio.Runner() as runner:
        store = aredis.Redis.from_url(url())
        release = store.register_script(RELEASE)
        trials: dict[str, Trial] = {
            RAW: lambda: runner.run(_aseconds(partial(_araw, store, release), cycles)),
            OURS: lambda: runner.run(_aseconds(_aours, cycles)),
        }
        seconds = interleave(trials, rounds=rounds)
        runner.run(store.aclose())
    return Row(
        what="lock + release, async",
        ours=1e6 * median(seconds[OURS]),
        unit="µs",
        peers={RAW: 1e6 * median(seconds[RAW])},
        ratio=ratio(seconds[OURS], seconds[RAW]),
    )


async def _aseconds(cycle: Callable[[], Awaitable[None]], cycles: int) -> float:
    for _ in range(WARM_UP):
        await cycle()
    began = time.perf_counter()
    for _ in range(cycles):
        await cycle()
    return (time.perf_counter() - began) / cycles


async def _araw(store: aredis.Redis, release: AsyncScript) -> None:
    token = os.urandom(16).hex()
    await store.set("raw", token, nx=True, px=LEASE * 1000)
    await release(keys=("raw",), args=(token,))


async def _aours() -> None:
    async with lock(NAME):
        pass
