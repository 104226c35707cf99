"""What the code can do, shown on a machine that may stall at any moment."""

import time
from collections.abc import Callable


def can(do: Callable[[], bool]) -> bool:
    """Whether it did in one of a few rounds of its own, because any one may meet a stall."""
    return any(do() for _ in range(5))


def can_within(seconds: float, do: Callable[[], object]) -> bool:
    return can(lambda: taken(do) < seconds)


def taken(do: Callable[[], object]) -> float:
    """The seconds it took."""
    begun = time.monotonic()
    do()
    return time.monotonic() - begun
