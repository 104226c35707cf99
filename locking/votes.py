"""How a majority of independent servers grants a lock.

This is Redlock (https://redis.io/docs/latest/develop/use/patterns/distributed-locks/) with fences.
Each server proposes one; the highest is written back to a majority before the lock counts, so that
any later majority has a server that knows it and proposes a higher one. Flows like those of
``flows``: they decide, and somebody else talks to the servers.
"""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

from . import scripts
from .attempts import deadline, granted
from .clock import Clock
from .durations import milliseconds
from .errors import LockBusy, LockLost, LockUnavailable
from .steps import Run

T = TypeVar("T")

# Seconds for each server to answer, or a tenth of the lease if that is less: the time that a silent
# one costs is time that the lease has less.
PATIENCE = 0.2
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.2


Random = Callable[[], float]


class Everywhere(NamedTuple):
    """Run it on all servers at once; replies with their replies, or LockUnavailable for some."""

    run: Run


class Pause(NamedTuple):
    seconds: float


Flow = Generator[Everywhere | Pause, Any, T]


class Hold(NamedTuple):
    token: str
    fence: int
    deadline: float


class Wish(NamedTuple):
    name: str
    keys: tuple[str, ...]
    servers: int
    lease: float
    wait: float | None
    floor: int

    @property
    def majority(self) -> int:
        return self.servers // 2 + 1

    def patience(self) -> float:
        return min(PATIENCE, self.lease / 10)


def taking(
    wish: Wish, actor: str, *, clock: Clock, random: Random, token: Callable[[], str]
) -> Flow[Hold]:
    """Raises LockBusy, or LockUnavailable when no majority answers."""
    until = None if wish.wait is None else clock() + wish.wait
    pause = FIRST_PAUSE
    while True:
        mine = token()
        try:
            replies = yield Everywhere(_asking(wish, mine, actor, sent := clock()))
            hold = yield from _elected(wish, mine, sent, replies, clock)
        except GeneratorExit:
            raise
        except BaseException:
            yield _giving_up(wish, mine, clock())
            raise
        if hold:
            return hold
        yield _giving_up(wish, mine, clock())
        if until is not None and clock() >= until:
            raise _why_not(wish, replies)
        # Two that came at once and share the servers must not do so again and again.
        yield Pause(pause * (0.5 + random()))
        pause = min(pause * 2, LONGEST_PAUSE)


def _elected(
    wish: Wish, token: str, sent: float, replies: list[Any], clock: Clock
) -> Flow[Hold | None]:
    fences = [reply for reply in replies if granted(reply)]
    if len(fences) < wish.majority:
        return None
    hold = Hold(token, max(fences), deadline(sent, wish.lease))
    lifting = Run(scripts.LIFT, wish.keys, (token, hold.fence), clock() + wish.patience())
    lifted = yield Everywhere(lifting)
    return hold if lifted.count(1) >= wish.majority and clock() < hold.deadline else None


def _giving_up(wish: Wish, token: str, now: float) -> Everywhere:
    return Everywhere(Run(scripts.ABANDON, wish.keys, (token, 1), now + wish.patience()))


def _asking(wish: Wish, token: str, actor: str, now: float) -> Run:
    # Not in line, nothing to be told, nothing to wait for.
    args = token, milliseconds(wish.lease), wish.floor, f"- {actor} ", "0 0 0 0 0"
    return Run(scripts.ACQUIRE, wish.keys, args, now + wish.patience())


def _why_not(wish: Wish, replies: list[Any]) -> LockBusy | LockUnavailable:
    refusals = [reply for reply in replies if isinstance(reply, list)]
    if len(refusals) + sum(map(granted, replies)) < wish.majority:
        said = (reply.refusal for reply in replies if isinstance(reply, LockUnavailable))
        return LockUnavailable(wish.name, refusal=next(filter(None, said), ""))
    ends = [reply[1] / 1000 for reply in refusals if reply[0] == 0]
    return LockBusy(wish.name, retry_after=max([0.0, *ends]))


def keeping(wish: Wish, hold: Hold, *, clock: Clock) -> Flow[Hold]:
    sent = clock()
    run = Run(
        scripts.EXTEND, wish.keys, (hold.token, milliseconds(wish.lease)), sent + wish.patience()
    )
    replies = yield Everywhere(run)
    _majority(wish, hold, [reply == 1 for reply in replies if isinstance(reply, int)])
    return hold._replace(deadline=max(hold.deadline, deadline(sent, wish.lease)))


def leaving(wish: Wish, hold: Hold, *, clock: Clock) -> Flow[None]:
    by = clock() + wish.patience()
    replies = yield Everywhere(Run(scripts.RELEASE, wish.keys, (hold.token, 0), by))
    _majority(wish, hold, [reply > 0 for reply in replies if isinstance(reply, int)])


def _majority(wish: Wish, hold: Hold, held: list[bool]) -> None:
    """Raises LockLost when too few can have held it, LockUnavailable when that is not known."""
    if held.count(True) >= wish.majority:
        return
    if held.count(False) > wish.servers - wish.majority:
        raise LockLost(wish.name, fence=hold.fence)
    raise LockUnavailable(wish.name)
