"""Several processes that all want one lock all the time."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import mean, median
from typing import NamedTuple, TypedDict

from .arena import Worker, workers
from .contenders import OURS, PYTHON_REDIS_LOCK, REDIS_PY, section
from .rounds import interleave
from .rows import Budget, Row

NAME = "fight"
HOLD = 0.001
# Not a ratio, because no rival serves all: the fastest let one process keep the lock.
RATE = 625
# Until all have heard that it begins.
NOTICE = 0.05


class Score(NamedTuple):
    """Of one process: the sections that began in time, and all waits in seconds."""

    served: int
    waits: list[float]


class Fight(NamedTuple):
    """Sections a second; least served / most served; worst wait / mean wait, and in seconds."""

    rate: float
    evenness: float
    patience: float
    worst: float


def measure(
    rival: str = REDIS_PY,
    others: Sequence[str] = (PYTHON_REDIS_LOCK,),
    *,
    processes: int = 6,
    rounds: int = 5,
    seconds: float = 1.2,
) -> list[Row]:
    libraries = (OURS, rival, *others)
    with workers(processes) as team:
        trials = {library: partial(_fight, team, library, seconds) for library in libraries}
        fights = interleave(trials, rounds=rounds)
    what = f"{processes} processes, {1e3 * HOLD:.0f} ms holds: "
    medians = partial(_medians, fights)
    return [
        Row(
            what=what + "sections",
            **medians(lambda fight: fight.rate),
            unit="/s",
            budget=Budget("≥", RATE),
        ),
        Row(
            what=what + "least / most served",
            **medians(lambda fight: fight.evenness),
            budget=Budget("≥", 0.9),
        ),
        Row(
            what=what + "worst / mean wait",
            **medians(lambda fight: fight.patience),
            budget=Budget("≤", 3.0),
        ),
        Row(what=what + "worst wait", **medians(lambda fight: 1e3 * fight.worst), unit="ms"),
    ]


class _Medians(TypedDict):
    ours: float
    peers: dict[str, float]


def _medians(fights: dict[str, list[Fight]], part: Callable[[Fight], float]) -> _Medians:
    found = {library: median(map(part, each)) for library, each in fights.items()}
    return {"ours": found.pop(OURS), "peers": found}


def _fight(team: list[Worker], library: str, seconds: float) -> Fight:
    begin = time.monotonic() + NOTICE
    tasks = [worker.submit(_struggle, library, begin, begin + seconds) for worker in team]
    scores = [task.result() for task in tasks]
    served = [score.served for score in scores]
    waits = [wait for score in scores for wait in score.waits]
    worst = max(waits)
    return Fight(sum(served) / seconds, min(served) / max(served), worst / mean(waits), worst)


def _struggle(library: str, begin: float, end: float) -> Score:
    make = section(library)
    served, waits = 0, []
    time.sleep(max(0.0, begin - time.monotonic()))
    while (asked := time.monotonic()) < end:
        with make(NAME):
            granted = time.monotonic()
            time.sleep(HOLD)
        served += granted < end
        waits.append(granted - asked)
    return Score(served, waits)
