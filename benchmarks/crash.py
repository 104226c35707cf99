"""How soon the next in line works after a holder, or whoever is first in line, was killed."""

import time

from locking import lock

from .arena import Worker, until, workers
from .contenders import PATIENCE
from .rows import Budget, Row
from .store import seconds_left, waiting

NAME = "crash"
LEASE = 0.5


def measure(*, rounds: int = 6) -> list[Row]:
    with workers(1) as [waiter]:
        expiries = [_after_holder(waiter) for _ in range(rounds)]
        releases = [_after_head(waiter) for _ in range(rounds)]
    return [
        _row("holder killed: next runs after expiry", expiries, Budget("≤", 50.0)),
        _row("first in line killed: next runs after release", releases, Budget("≤", 10.0)),
    ]


def _row(what: str, delays: list[float], budget: Budget) -> Row:
    return Row(what=what + ", worst", ours=1e3 * max(delays), unit="ms", budget=budget)


def _after_holder(waiter: Worker) -> float:
    with workers(1) as [victim]:
        victim.submit(_hold, LEASE)
        until(lambda: seconds_left(NAME) > 0)
        running = waiter.submit(_run)
        until(lambda: waiting(NAME) == 1)
        victim.kill()
        expiry = time.monotonic() + seconds_left(NAME)
    return running.result() - expiry


def _after_head(waiter: Worker) -> float:
    with workers(1) as [victim], lock(NAME):
        victim.submit(_run)
        until(lambda: waiting(NAME) == 1)
        running = waiter.submit(_run)
        until(lambda: waiting(NAME) == 2)
        victim.kill()
        released = time.monotonic()
    return running.result() - released


def _hold(lease: float) -> None:
    with lock(NAME, lease=lease):
        time.sleep(PATIENCE)


def _run() -> float:
    """When it ran, on the clock that all processes of a machine share."""
    with lock(NAME, wait=PATIENCE):
        return time.monotonic()
