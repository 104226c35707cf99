"""From the release in one process to the work in another that waits for it."""

import random
import time
from collections.abc import Sequence
from functools import partial

from .arena import Worker, workers
from .contenders import OURS, PYTHON_REDIS_LOCK, REDIS_PY, section
from .rounds import Spread, interleave, percentile, ratio
from .rows import Budget, Row

NAME = "hand-over"
BUDGET = Budget("≤", 1.0)
# Long enough for the other process to be waiting, and up to anywhere in the tenth of a second
# after which redis-py asks again.
SHORTEST_HOLD, LONGEST_HOLD = 0.01, 0.11


def measure(
    rival: str = PYTHON_REDIS_LOCK,
    others: Sequence[str] = (REDIS_PY,),
    *,
    rounds: int = 160,
    block: int = 20,
) -> list[Row]:
    """``block``: so many hand-overs in a row have one median."""
    with workers(1) as [waiter]:
        trials = {
            library: partial(_hand_over, waiter, library) for library in (OURS, rival, *others)
        }
        seconds = interleave(trials, rounds=rounds)
    tails = [percentile(seconds[library], 99) for library in (OURS, rival)]
    return [
        _row(50, seconds, ratio(seconds[OURS], seconds[rival], block=block)),
        _row(99, seconds, ratio(tails[:1], tails[1:])),
    ]


def _hand_over(waiter: Worker, library: str) -> float:
    with section(library)(NAME):
        running = waiter.submit(_run, library)
        time.sleep(random.uniform(SHORTEST_HOLD, LONGEST_HOLD))
        released = time.monotonic()
    return running.result() - released


def _run(library: str) -> float:
    """When it ran, on the clock that all processes of a machine share."""
    with section(library)(NAME):
        return time.monotonic()


def _row(percent: int, seconds: dict[str, list[float]], judged: Spread) -> Row:
    ours, *peers = [(name, 1e3 * percentile(values, percent)) for name, values in seconds.items()]
    return Row(
        what=f"hand-over to another process, p{percent}",
        ours=ours[1],
        unit="ms",
        peers=dict(peers),
        ratio=judged,
        budget=BUDGET,
    )
