"""What to say to the store, in which order, and what its answers mean.

A flow is a generator. It yields steps; a driver of either colour performs each and sends back the
reply, or throws in what went wrong. So everything there is to decide is decided here, once, and
without a socket: also what to do about a call that may or may not have landed.
"""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from enum import IntEnum
from math import inf
from typing import Any, NamedTuple, Protocol, TypeVar

from . import holders
from .clock import Clock
from .durability import Confirm, Durability, confirmation, met
from .errors import (
    ConnectionBroken,
    LockBusy,
    LockNotDurable,
    LockQuarantined,
    LockQueueFull,
    LockUnavailable,
    ScriptMissing,
)
from .holders import Holder
from .scripts import Script, protocol

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Kept back from a wait, so that giving up politely does not outlast it.
FAREWELL = 0.1
# A waiter that has not asked for so long is dead to the others; a live one asks this often, in
# case the news of its turn was lost, and before the time is over in which the one ahead of it may
# claim what it was handed.
WAITER_LIFE, SAFETY_POLL = 15.0, 2.5
# The same for a waiter that no news can reach.
POLLER_LIFE, POLL = 1.0, 0.05
# In which a waiter must claim what it was handed; the scripts know it too. Less is left of it when
# the waiter hears of it, and it needs some to extend the lease that it has.
CLAIM, ENOUGH_TO_CLAIM = 3.0, 0.3
# After the end of a lease its first waiter asks, and the others a little later, one by one.
EXPIRY_GRACE, STAGGER = 0.002, 0.01


class News(IntEnum):
    """How a waiter is going to learn that it is its turn."""

    NONE = 0
    PUSHED = 1
    POLLED = 2


class Run(NamedTuple):
    """Run a script and return its reply; ``until`` is a time of the local clock."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[str | int, ...]
    until: float | None = None
    whole: bool = False
    # A command that is sent behind it; the reply is then a pair.
    confirm: Confirm | None = None


class Settle(NamedTuple):
    """Run a script as a last word, at best effort: behind the call still unanswered, if one is."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[str | int, ...]
    patience: float = FAREWELL


class Listen(NamedTuple):
    """Wake the flow when the store has news for ``token``; replies with News.

    Without ``seconds`` only if somebody listens already, otherwise taking so long to begin.
    """

    token: str
    channel: str
    seconds: float = 0.0


class Await(NamedTuple):
    """Sleep until there is news, or so long.

    Replies with News, which a lost connection changes, and the fence under which the lock was
    handed to the token, or 0.
    """

    seconds: float


Step = Run | Settle | Listen | Await
Flow = Generator[Step, Any, T]


class Guard(NamedTuple):
    """What a guarded acquire takes besides: the key of the store's copy of a word, the word, and
    for how many milliseconds nothing is granted when the copy is not the same."""

    key: str
    word: str
    ms: int


class Attempt(NamedTuple):
    """One wish for a lock; ``token`` is new for each.

    ``renewed``: somebody will extend the lease, so it may begin with what is left for its claim.
    ``share``: nothing for the whole lock; else its weight, and the capacity of all shares.
    """

    name: str
    keys: tuple[str, ...]
    token: str
    lease: float
    wait: float | None
    fair: bool
    channel: str
    most_waiting: int
    actor: str
    meta: str
    floor: int
    share: tuple[int, ...] = ()
    guard: Guard | None = None
    durability: Durability | None = None
    renewed: bool = False


class Vigil(Protocol):
    """What a waiter does besides waiting."""

    def keep(self, attempt: Attempt, ticket: int, until: float | None) -> Flow[float]:
        """Seconds after which it is to be kept again; may raise. ``until`` as in Run."""

    def end(self) -> Flow[None]: ...


class Grant(NamedTuple):
    """``deadline`` by the local clock; ``waited`` in line, in seconds. To be extended soon if it is
    not ``claimed``.
    """

    fence: int
    deadline: float
    waited: float
    claimed: bool = True


class Standing(NamedTuple):
    """What the store told a waiter; ``ttl`` is in seconds, ``ticket`` its seniority, ``fence`` that
    of the last grant.
    """

    ttl: float
    fence: int
    holder: Holder | None
    position: int
    ticket: int


# Before the store was asked.
NOTHING = Standing(0.0, 0, None, -1, 0)


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


def acquire(
    attempt: Attempt, *, clock: Clock, random: Callable[[], float], vigil: Vigil | None = None
) -> Flow[Grant]:
    """``vigil``: against deadlocks, for those who hold other locks."""
    started = heard = clock()
    found = NOTHING
    until = inf if attempt.wait is None else started + attempt.wait
    news, unanswered = News.NONE, False
    try:
        if attempt.wait != 0:
            news = yield Listen(attempt.token, attempt.channel)
        while True:
            sent, unanswered = clock(), True
            by = _reply_by(until, sent, once=attempt.wait == 0)
            try:
                reply = yield from ask(
                    _asking(attempt, news, found.ticket, by, left=(by or inf) - sent)
                )
                if attempt.durability:
                    reply = _copied(attempt.name, attempt.durability, reply)
            except LockUnavailable:
                # Whoever is in line rides out a restart or a failover, for as long as its place
                # is kept; whoever only comes is told at once.
                if not found.ticket or clock() >= min(until, heard + WAITER_LIFE):
                    raise
                news, _ = yield Await(POLL)
                continue
            if reply[0] == 1:
                if vigil:
                    yield from vigil.end()
                waited = clock() - started if found.ticket else 0.0
                return Grant(reply[1], deadline(sent, attempt.lease), waited)
            heard, unanswered = sent, False
            found = _standing(attempt, reply)
            left = until - clock()
            if left <= 0:
                raise LockBusy(attempt.name, holder=found.holder, retry_after=found.ttl)
            if news is News.NONE:
                news = yield Listen(attempt.token, attempt.channel, min(left, POLL))
            else:
                patience = min(_patience(found, news, random()), left)
                if vigil:
                    patience = min(patience, (yield from vigil.keep(attempt, found.ticket, by)))
                news, fence = yield Await(patience)
                if _may_begin(attempt, found, heard, clock(), fence):
                    if vigil:
                        yield from vigil.end()
                    return Grant(fence, deadline(heard, CLAIM), clock() - started, claimed=False)
    except GeneratorExit:
        raise
    except BaseException:
        yield from _insist(
            _last_words(attempt, vigil, waiting=found.ticket > 0, unanswered=unanswered)
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


def _asking(attempt: Attempt, news: News, ticket: int, until: float | None, *, left: float) -> Run:
    life = WAITER_LIFE if news is News.PUSHED else POLLER_LIFE
    guard = attempt.guard
    known = protocol(attempt.keys)
    return Run(
        known.guarded if guard else known.acquire,
        (*attempt.keys, guard.key) if guard else attempt.keys,
        (
            attempt.token,
            milliseconds(attempt.lease),
            int(_enrolment(attempt, news)),
            attempt.channel,
            milliseconds(life),
            int(attempt.fair),
            attempt.most_waiting,
            ticket,
            attempt.floor,
            attempt.actor,
            attempt.meta,
            *attempt.share,
            *((guard.word, guard.ms) if guard else ()),
        ),
        until,
        # A script that is missing would have the confirmation wait for nothing.
        whole=attempt.durability is not None,
        confirm=confirmation(attempt.durability, left) if attempt.durability else None,
    )


def _enrolment(attempt: Attempt, news: News) -> News:
    """Whoever waits is in line from the first call on, even before news can reach it."""
    return News.POLLED if news is News.NONE and attempt.wait != 0 else news


def _copied(name: str, durability: Durability, replies: tuple[Any, Any]) -> Any:
    """A grant that was not copied is not one; the caller gives it up."""
    reply, answer = replies
    if reply[0] == 1 and not met(answer):
        raise LockNotDurable(name, durability=durability)
    return reply


def _reply_by(until: float, now: float, *, once: bool) -> float | None:
    """A wait that is nearly over still allows one honest round trip."""
    return None if until == inf or once else max(until - FAREWELL, now + FAREWELL)


def _standing(attempt: Attempt, reply: list[Any]) -> Standing:
    if reply[0] == -2:
        _, left, noticed = reply
        if noticed:
            logger.error("The lock store lost its data; no lock is granted for %g s", left / 1000)
        raise LockQuarantined(attempt.name, retry_after=left / 1000)
    if reply[0] == -1:
        raise LockQueueFull(attempt.name, limit=attempt.most_waiting)
    _, ttl, fence, held_for, actor, meta, position, ticket = reply
    holder = holders.parse(fence, held_for, actor, meta) if actor else None
    return Standing(max(ttl, 0) / 1000, fence, holder, position, ticket)


def _may_begin(attempt: Attempt, found: Standing, heard: float, now: float, fence: int) -> bool:
    """Whether the lock that was handed over may be trusted before it is claimed.

    A fence above the last one known at the last call was granted after that call, so its claim time
    ends later than if it had begun with the call. Any other is news from long ago.
    """
    return (
        attempt.renewed
        and attempt.durability is None
        and fence > found.fence
        and deadline(heard, CLAIM) - now > ENOUGH_TO_CLAIM
    )


def _patience(found: Standing, news: News, random: float) -> float:
    """How long to sleep without news; until the holder's lease runs out at the latest."""
    if news is News.POLLED:
        return min(POLL * (0.5 + random / 2), found.ttl + EXPIRY_GRACE)
    return min(SAFETY_POLL, found.ttl + EXPIRY_GRACE + STAGGER * found.position)


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
        held, more = yield from ask(run)
        while more:
            _, more = yield from ask(run)
    except (GeneratorExit, LockUnavailable):
        raise  # if it was sent, the store will still do it when it can
    except BaseException:
        yield Settle(run.script, keys, args)
        raise
    return bool(held)


def declining(keys: tuple[str, ...], token: str) -> Run:
    """Passes on a lock that was handed to a token for which nobody waits any more."""
    return Run(protocol(keys).abandon, keys, (token, 2))


def milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
