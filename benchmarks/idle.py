"""What the breakers of an idle process ask of the store, by their number."""

import time
from collections.abc import Sequence
from typing import Any

from .arena import workers
from .breakers import INTERLOCK_REDIS, LIBRARIES, Colour
from .contenders import OURS
from .rounds import ratio
from .rows import Budget, Row
from .scenes import NEVER, work
from .store import commands

# Its agent asks once a second, give or take a tenth: one more or less in the time may be chance.
BUDGET = Budget("≤", 1.1)

# Libraries end the work of breakers that nobody refers to.
_kept: list[Any] = []


def measure(
    peers: Sequence[str] = (INTERLOCK_REDIS,),
    *,
    few: int = 1,
    many: int = 500,
    seconds: float = 25,
    pause: float = 2,
) -> list[Row]:
    """``pause``: seconds for what follows the first calls."""
    one, ours = (_commands_per_second(OURS, number, seconds, pause) for number in (few, many))
    rates = {peer: _commands_per_second(peer, many, seconds, pause) for peer in peers}
    return [
        Row(
            what=f"Redis commands of {many} idle breakers",
            ours=ours,
            unit="/s",
            peers={f"{few} of ours": one, **rates},
            ratio=ratio([ours], [one]),
            budget=BUDGET,
        )
    ]


def _commands_per_second(library: str, number: int, seconds: float, pause: float) -> float:
    # A process at a time, so that no other's are counted.
    with workers(1) as [worker]:
        worker.submit(_use, library, number).result()
        time.sleep(pause)
        before, began = commands(), time.monotonic()
        time.sleep(seconds)
        return (commands() - before) / (time.monotonic() - began)


def _use(library: str, number: int) -> None:
    """Once each, so that all of them are in this process."""
    make = LIBRARIES[Colour.SYNC][library]
    for index in range(number):
        call = make(f"idle-{index}", NEVER).around(work)
        call()
        _kept.append(call)
