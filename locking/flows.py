"""What to say to the store, in which order, and what its answers mean.

A flow is a generator. It yields steps; a driver of either colour performs each and sends back the
reply, or throws in what went wrong. So everything there is to decide is decided here, once, and
without a socket: also what to do about a call that may or may not have landed.
"""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, NoReturn, TypeVar

from . import holders, scripts
from .clock import Clock
from .errors import ConnectionBroken, LockBusy, LockUnavailable, ScriptMissing
from .scripts import Script

T = TypeVar("T")

# Kept back from a wait, so that giving up politely does not outlast it.
FAREWELL = 0.1
# A waiter that has not asked for so long is dead to the others.
WAITER_LIFE_MS = 15_000
FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.05


class Run(NamedTuple):
    """Run a script and return its reply; ``until`` is a time of the local clock."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[str | int, ...]
    until: float | None = None
    whole: bool = False


class Settle(NamedTuple):
    """Run a script as a last word, at best effort: behind the call still unanswered, if one is."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[str | int, ...]
    patience: float = FAREWELL


class Sleep(NamedTuple):
    seconds: float


Step = Run | Settle | Sleep
Flow = Generator[Step, Any, T]


class Attempt(NamedTuple):
    """One wish for a lock; ``token`` is new for each."""

    name: str
    keys: tuple[str, ...]
    token: str
    lease: float
    wait: float | None
    actor: str
    meta: str
    floor: int


class Grant(NamedTuple):
    fence: int
    deadline: float


def deadline(sent: float, lease: float) -> float:
    """When to stop trusting a lease that was asked for at ``sent``: clocks drift."""
    return sent + lease * 0.99 - 0.002


def ask(run: Run) -> Flow[Any]:
    """A script forgotten or a pooled connection gone stale costs one more try.

    The second try is harmless because every script knows its caller by the token.
    """
    broken = False
    while True:
        try:
            return (yield run)
        except ScriptMissing:
            run = run._replace(whole=True)
        except ConnectionBroken:
            if broken:
                raise
            broken = True


def acquire(attempt: Attempt, *, clock: Clock, random: Callable[[], float]) -> Flow[Grant]:
    started = clock()
    until = None if attempt.wait is None else started + attempt.wait
    enrolled = unanswered = False
    pause = FIRST_PAUSE
    try:
        while True:
            sent, unanswered = clock(), True
            reply = yield from ask(_asking(attempt, enrolled, _reply_by(until, sent)))
            unanswered = False
            if reply[0] == 1:
                return Grant(reply[1], deadline(sent, attempt.lease))
            left = None if until is None else until - clock()
            if left is not None and left <= 0:
                _raise_busy(attempt, reply)
            yield Sleep(_pause(pause, random(), ttl=reply[1] / 1000, left=left))
            enrolled, pause = True, min(pause * 2, LONGEST_PAUSE)
    except GeneratorExit:
        raise
    except BaseException:
        if enrolled or unanswered:
            yield Settle(scripts.ABANDON, attempt.keys, (attempt.token, int(unanswered)))
        raise


def _asking(attempt: Attempt, enrol: bool, until: float | None) -> Run:
    return Run(
        scripts.ACQUIRE,
        attempt.keys,
        (
            attempt.token,
            milliseconds(attempt.lease),
            int(enrol),
            WAITER_LIFE_MS,
            attempt.actor,
            attempt.meta,
            attempt.floor,
        ),
        until,
    )


def _reply_by(until: float | None, now: float) -> float | None:
    """A wait that is nearly over still allows one honest round trip."""
    return None if until is None or until <= now else max(until - FAREWELL, now + FAREWELL)


def _pause(pause: float, random: float, *, ttl: float, left: float | None) -> float:
    """Jittered, no longer than the caller waits, and awake when the holder's lease runs out."""
    jittered = pause * (0.5 + random / 2)
    return min(jittered, ttl + 0.002, *([] if left is None else [left]))


def _raise_busy(attempt: Attempt, reply: list[Any]) -> NoReturn:
    _, ttl, *holder = reply
    raise LockBusy(attempt.name, holder=holders.parse(*holder), retry_after=max(ttl, 0) / 1000)


def extend(
    keys: tuple[str, ...], token: str, lease: float, *, until: float, clock: Clock
) -> Flow[float | None]:
    """The new deadline, or None when the lease was lost."""
    sent = clock()
    by = max(until, sent + FAREWELL)
    held = yield from ask(Run(scripts.EXTEND, keys, (token, milliseconds(lease)), by))
    return deadline(sent, lease) if held else None


def release(keys: tuple[str, ...], token: str) -> Flow[bool]:
    """Whether the token held the lock until this."""
    try:
        held = yield from ask(Run(scripts.RELEASE, keys, (token,)))
    except (GeneratorExit, LockUnavailable):
        raise  # if it was sent, the store will still do it when it can
    except BaseException:
        yield Settle(scripts.RELEASE, keys, (token,))
        raise
    return bool(held)


def milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
