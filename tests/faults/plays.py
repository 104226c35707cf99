"""What actors do with a lock: short plays, written once for threads and tasks.

A play yields steps; ``actors`` performs them in either colour, records them, and throws in what
went wrong.
"""

import time
from collections.abc import Callable, Generator
from random import Random
from typing import Any, NamedTuple

from locking import Lease, Lock, lock, rw_lock, semaphore


class Wish(NamedTuple):
    """``weight`` of a share in a ``capacity``, both 1 for a plain lock."""

    name: str
    wait: float
    lease: float
    fair: bool
    weight: int = 1
    capacity: int = 1


class Acquire(NamedTuple):
    """``patience``: a task is cancelled after so long, wherever it is then."""

    wish: Wish
    lock: Lock
    patience: float | None = None


class Try(NamedTuple):
    wish: Wish
    lock: Lock


class Extend(NamedTuple):
    lease: Lease


class Check(NamedTuple):
    lease: Lease


class Write(NamedTuple):
    lease: Lease


class Release(NamedTuple):
    lease: Lease
    patience: float | None = None


class Drop(NamedTuple):
    lease: Lease


class Pause(NamedTuple):
    seconds: float


class Section(NamedTuple):
    """``locked_atomic`` around a write."""

    wish: Wish


Step = Acquire | Try | Extend | Check | Write | Release | Drop | Pause | Section
Play = Generator[Step, Any, None]

LEASES = (0.3, 0.5, 1.0)
LONGEST_LEASE = max(LEASES)
# Longer than any grant takes that nothing disturbed, shorter than a lease.
LATE = 0.2
WAITS = (0.02, 0.2, 1.0, 5.0)


PERMITS = 2
READERS = 1000


def wish(dice: Random, names: list[str]) -> Wish:
    """Low names are hot: everybody wants them, and queues form."""
    hot = int(len(names) * dice.random() ** 1.5)
    patience = dice.choice(WAITS), dice.choice(LEASES), dice.random() < 0.9
    return Wish(names[hot], *patience, *share(dice, names[hot]))


def share(dice: Random, name: str) -> tuple[int, int]:
    match name[0]:
        case "r":
            return dice.choice((1, 1, READERS)), READERS
        case "s":
            return 1, PERMITS
        case _:
            return 1, 1


def asked(wish: Wish, **more: Any) -> Lock:
    options = {"wait": wish.wait, "lease": wish.lease, "fair": wish.fair, **more}
    match wish.capacity:
        case 1:
            return lock(wish.name, **options)
        case permits if permits < READERS:
            return semaphore(wish.name, permits, **options)
        case _:
            both = rw_lock(wish.name, **options)
            return both.read if wish.weight == 1 else both.write


def touch(wish: Wish, dice: Random) -> Play:
    """After a long way to the grant, a little work: who trusts a stale grant shall be caught."""
    begun = time.monotonic()
    lease = yield Acquire(wish, asked(wish))
    if time.monotonic() - begun > LATE:
        yield Pause(dice.uniform(0, LATE / 4))
    yield Release(lease)


def attempt(wish: Wish, dice: Random) -> Play:
    lease = yield Try(wish, asked(wish))
    if lease:
        yield Release(lease)


def work(wish: Wish, dice: Random) -> Play:
    lease = yield Acquire(wish, asked(wish))
    yield Pause(dice.uniform(0.0005, 0.005))
    yield Write(lease)
    yield Release(lease)


def work_long(wish: Wish, dice: Random) -> Play:
    """Longer than the lease, which is renewed meanwhile."""
    lease = yield Acquire(wish, asked(wish))
    for _ in range(8):
        yield Pause(wish.lease * dice.uniform(0.1, 0.3))
        yield Check(lease)
    yield Write(lease)
    yield Release(lease)


def extend(wish: Wish, dice: Random) -> Play:
    lease = yield Acquire(wish, asked(wish, renew=False))
    for _ in range(4):
        yield Pause(wish.lease * dice.uniform(0.1, 0.4))
        yield Extend(lease)
        yield Check(lease)
    yield Release(lease)


def overstay(wish: Wish, dice: Random) -> Play:
    """A holder that does not look at the clock, and writes when it should not."""
    lease = yield Acquire(wish, asked(wish, renew=False))
    yield Pause(wish.lease * dice.uniform(1.0, 1.5))
    yield Write(lease)
    yield Release(lease)


def abandon(wish: Wish, dice: Random) -> Play:
    lease = yield Acquire(wish, asked(wish, renew=dice.random() < 0.5))
    yield Drop(lease)


def give_up(wish: Wish, dice: Random) -> Play:
    lease = yield Acquire(wish, asked(wish), patience=dice.uniform(0, 0.02))
    yield Release(lease, patience=dice.uniform(0, 0.001))


def section(wish: Wish, dice: Random) -> Play:
    yield Section(wish)


PLAYS: dict[Callable[[Wish, Random], Play], int] = {
    touch: 8000,
    attempt: 1000,
    give_up: 500,
    work: 200,
    section: 60,
    work_long: 6,
    extend: 6,
    overstay: 6,
    abandon: 6,
}


# Several readers, or permits, have several fences: writing under them is for one holder alone.
SHARED_PLAYS = {play: weight for play, weight in PLAYS.items() if play not in (work, section)}


def some_play(wish: Wish, dice: Random) -> Play:
    plays = PLAYS if wish.capacity == 1 else SHARED_PLAYS
    [play] = dice.choices(tuple(plays), weights=tuple(plays.values()))
    return play(wish, dice)
