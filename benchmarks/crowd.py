"""A thousand waiters, threads and tasks of several processes, served one after the other."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import mean
from typing import NamedTuple

from locking import lock

from .arena import Worker, until, workers
from .contenders import PATIENCE
from .rounds import ratio
from .rows import Budget, Row
from .store import commands, waiting

NAME = "crowd"


class Serving(NamedTuple):
    """Of one hand-over, on average: commands the store performed, those in scripts included."""

    commands: float
    seconds: float


def measure(*, few: int = 12, many: int = 1_000, repeats: int = 20) -> list[Row]:
    """``repeats``: of the small crowd, which once would be too little to count."""
    with workers(4) as team:
        _serve(team, few)
        small = [_serve(team, few) for _ in range(repeats)]
        large = _serve(team, many)
    return [
        Row(
            what=f"commands per hand-over, {many} waiters",
            ours=large.commands,
            peers={f"{few} waiters": mean(serving.commands for serving in small)},
            ratio=ratio([large.commands], [mean(serving.commands for serving in small)]),
            budget=Budget("≤", 1.1),
        ),
        Row(
            what=f"time per hand-over, {many} waiters",
            ours=1e3 * large.seconds,
            unit="ms",
            peers={f"{few} waiters": 1e3 * mean(serving.seconds for serving in small)},
        ),
    ]


def _serve(team: list[Worker], size: int) -> Serving:
    kinds: list[Callable[[int], None]] = [_threads, _tasks]
    with lock(NAME):
        share = size // len(team)
        crowds = [worker.submit(kinds[number % 2], share) for number, worker in enumerate(team)]
        until(lambda: waiting(NAME) == share * len(team))
        before = commands()
        began = time.monotonic()
    for crowd in crowds:
        crowd.result()
    elapsed = time.monotonic() - began
    served = share * len(team)
    return Serving((commands() - before) / served, elapsed / served)


def _threads(number: int) -> None:
    with ThreadPoolExecutor(number) as pool:
        list(pool.map(lambda _: _wait(), range(number)))


def _wait() -> None:
    with lock(NAME, wait=PATIENCE):
        pass


def _tasks(number: int) -> None:
    async def crowd() -> None:
        await asyncio.gather(*(_await() for _ in range(number)))

    asyncio.run(crowd())


async def _await() -> None:
    async with lock(NAME, wait=PATIENCE):
        pass
