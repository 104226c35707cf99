"""What to say to the store, in which order.

Everything there is to decide is decided here, once for both colours, and without a socket: also
what to do about a call that may or may not have landed.
"""

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Protocol

from .attempts import (
    CLAIM,
    NOTHING,
    POLL,
    WAITER_LIFE,
    Attempt,
    Grant,
    asking,
    copied,
    deadline,
    granted,
    may_begin,
    patience,
    standing,
)
from .clock import Clock
from .durations import milliseconds
from .errors import LockBusy, LockUnavailable
from .scripts import protocol
from .steps import FAREWELL, NONE, Await, Flow, Listen, Run, Settle, Step, ask, ask_twice

# Added to the reply of a release that left dead waiters to skip.
MORE = 4


class Vigil(Protocol):
    """What a waiter does besides waiting."""

    def keep(self, attempt: Attempt, ticket: int, until: float | None) -> Flow[float]:
        """Seconds after which it is to be kept again; may raise. ``until`` as in Run."""

    def end(self) -> Flow[None]: ...


def acquire(
    attempt: Attempt, *, clock: Clock, random: Callable[[], float], vigil: Vigil | None = None
) -> Flow[Grant]:
    """``vigil``: against deadlocks, for those who hold other locks."""
    started = heard = clock()
    found = NOTHING
    until = inf if attempt.wait is None else started + attempt.wait
    news, unanswered, lingering = NONE, False, False
    try:
        if attempt.wait != 0:
            news = yield Listen(attempt.token, attempt.channel)
        while True:
            sent, unanswered = clock(), True
            by = _reply_by(until, sent, once=attempt.wait == 0)
            try:
                reply, broken = yield from ask_twice(
                    asking(attempt, news, found.ticket, by, left=(by or inf) - sent)
                )
                lingering = lingering or broken
                if attempt.terms.durability:
                    reply = copied(attempt.name, attempt.terms.durability, reply)
            except LockUnavailable:
                # Whoever is in line rides out a restart or a failover, for as long as its place
                # is kept; whoever only comes is told at once.
                if not found.ticket or clock() >= min(until, heard + WAITER_LIFE):
                    raise
                news, _ = yield Await(POLL)
                continue
            if granted(reply):
                if vigil:
                    yield from vigil.end()
                waited = clock() - started if found.ticket else 0.0
                return Grant(reply, deadline(sent, attempt.terms.lease), waited)
            heard, unanswered = sent, False
            found = standing(attempt, reply)
            left = until - clock()
            if left <= 0:
                raise LockBusy(attempt.name, holder=found.holder, retry_after=found.ttl)
            if news is NONE:
                news = yield Listen(attempt.token, attempt.channel, min(left, POLL))
            else:
                sleep = min(patience(found, news, random()), left)
                if vigil:
                    sleep = min(sleep, (yield from vigil.keep(attempt, found.ticket, by)))
                news, fence = yield Await(sleep)
                if may_begin(attempt, found, heard, clock(), fence):
                    if vigil:
                        yield from vigil.end()
                    return Grant(fence, deadline(heard, CLAIM), clock() - started, claimed=False)
    except GeneratorExit:
        raise
    except BaseException:
        yield from _insist(
            _last_words(
                attempt, vigil, waiting=found.ticket > 0, unanswered=unanswered or lingering
            )
        )
        raise


def _last_words(
    attempt: Attempt, vigil: Vigil | None, *, waiting: bool, unanswered: bool
) -> Iterator[Step]:
    if waiting or unanswered:
        abandon = protocol(attempt.keys).abandon
        yield Settle(abandon, attempt.keys, (attempt.token, int(unanswered)))
    if vigil:
        yield from vigil.end()


def _insist(last_words: Iterable[Step]) -> Flow[None]:
    """Each is said once more if it is interrupted, and none is left out because another was."""
    interruption = None
    for word in last_words:
        for _ in range(2):
            try:
                yield word
                break
            except GeneratorExit:
                raise
            except BaseException as error:
                interruption = error
    if interruption:
        raise interruption


def _reply_by(until: float, now: float, *, once: bool) -> float | None:
    """A wait that is nearly over still allows one honest round trip."""
    return None if until == inf or once else max(until - FAREWELL, now + FAREWELL)


def extend(
    keys: tuple[str, ...], token: str, lease: float, *, until: float, clock: Clock
) -> Flow[float | None]:
    """The new deadline, or None when the lease was lost."""
    sent = clock()
    by = max(until, sent + FAREWELL)
    held = yield from ask(Run(protocol(keys).extend, keys, (token, milliseconds(lease)), by))
    return deadline(sent, lease) if held else None


def release(keys: tuple[str, ...], token: str, *, at_least: float = 0.0) -> Flow[bool]:
    """Whether the token held the lock until this; ``at_least`` seconds since its grant."""
    args = token, milliseconds(at_least) if at_least else 0
    run = Run(protocol(keys).release, keys, args)
    try:
        held = reply = yield from ask(run)
        while reply & MORE:
            reply = yield from ask(run)
    except (GeneratorExit, LockUnavailable):
        raise  # if it was sent, the store will still do it when it can
    except BaseException:
        yield Settle(run.script, keys, args)
        raise
    return bool(held & ~MORE)


def declining(keys: tuple[str, ...], token: str) -> Run:
    """Passes on a lock that was handed to a token for which nobody waits any more."""
    return Run(protocol(keys).abandon, keys, (token, 2))
