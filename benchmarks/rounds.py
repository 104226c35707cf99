"""Contenders measured in turn, so that whatever slows the machine down slows them all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median, quantiles
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    low: float
    high: float


def interleave(trials: Mapping[K, Callable[[], T]], *, rounds: int) -> dict[K, list[T]]:
    """What each trial returned in each round; a round before them warms up.

    Their order is drawn for each round, because a trial leaves caches as the next one likes them,
    or not.
    """
    order, draw = list(trials), Random(0)
    results: dict[K, list[T]] = {name: [] for name in order}
    for turn in range(rounds + 1):
        draw.shuffle(order)
        for name in order:
            result = trials[name]()
            if turn:
                results[name].append(result)
    return results


def spread(values: Sequence[float]) -> Spread:
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high)


def ratio(ours: Sequence[float], theirs: Sequence[float], *, block: int = 1) -> Spread:
    """Round by round, so that both sides of each ratio met the same machine.

    ``block``: so many single events, whose median is compared, make up a round.
    """
    pairs = zip(_medians(ours, block), _medians(theirs, block), strict=True)
    return spread([mine / other for mine, other in pairs])


def _medians(values: Sequence[float], block: int) -> list[float]:
    return [median(values[start : start + block]) for start in range(0, len(values), block)]


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of the values do not exceed."""
    rank = -(-len(values) * percent // 100)
    return sorted(values)[rank - 1]
