"""One wish for a lock: how to ask for it, and what the answers mean."""

import logging
from typing import Any, NamedTuple

from . import holders
from .durability import Confirm, Durability, confirmation, met
from .durations import milliseconds
from .errors import LockNotDurable, LockQuarantined, LockQueueFull
from .holders import Holder
from .scripts import protocol
from .steps import NONE, POLLED, PUSHED, News, Run
from .terms import Terms

logger = logging.getLogger(__name__)

# A waiter that has not asked for so long is dead to the others; a live one asks this often, in
# case the news of its turn was lost, and before the time is over in which the one ahead of it may
# claim what it was handed.
WAITER_LIFE, SAFETY_POLL = 15.0, 2.5
# The same for a waiter that no news can reach.
POLLER_LIFE, POLL = 1.0, 0.05
WAITER_LIFE_MS, POLLER_LIFE_MS = milliseconds(WAITER_LIFE), milliseconds(POLLER_LIFE)
# In which a waiter must claim what it was handed; the scripts know it too. Less is left of it when
# the waiter hears of it, and it needs some to extend the lease that it has.
CLAIM, ENOUGH_TO_CLAIM = 3.0, 0.3
# After the end of a lease its first waiter asks, and the others a little later, one by one.
EXPIRY_GRACE, STAGGER = 0.002, 0.01


class Guard(NamedTuple):
    """What a guarded acquire takes besides: the key of the store's copy of a word, the word, and
    for how many milliseconds nothing is granted when the copy is not the same."""

    key: str
    word: str
    ms: int


class Attempt(NamedTuple):
    """One wish for a lock; ``token`` is new for each.

    ``share``: nothing for the whole lock; else its weight, and the capacity of all shares.
    """

    name: str
    keys: tuple[str, ...]
    token: str
    terms: Terms
    wait: float | None
    channel: str
    actor: str
    meta: str = ""
    floor: int = 0
    share: tuple[int, ...] = ()
    guard: Guard | None = None


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


def asking(attempt: Attempt, news: News, ticket: int, until: float | None, *, left: float) -> Run:
    terms, guard = attempt.terms, attempt.guard
    known = protocol(attempt.keys)
    life = WAITER_LIFE_MS if news is PUSHED else POLLER_LIFE_MS
    args: tuple[str | int, ...] = (
        attempt.token,
        terms.lease_ms,
        attempt.floor,
        f"{attempt.channel} {attempt.actor} {attempt.meta}",
        f"{_enrolment(attempt, news).value} {life} {ticket} {terms.rules}",
        *attempt.share,
    )
    if guard:
        keys = (*attempt.keys, guard.key)
        return Run(known.guarded, keys, (*args, guard.word, guard.ms), until, *_surely(terms, left))
    return Run(known.acquire, attempt.keys, args, until, *_surely(terms, left))


def _surely(terms: Terms, left: float) -> tuple[bool, Confirm | None]:
    if terms.durability is None:
        return False, None
    # A script that is missing would have the confirmation wait for nothing.
    return True, confirmation(terms.durability, left)


def _enrolment(attempt: Attempt, news: News) -> News:
    """Whoever waits is in line from the first call on, even before news can reach it."""
    return POLLED if news is NONE and attempt.wait != 0 else news


def copied(name: str, durability: Durability, replies: tuple[Any, Any]) -> Any:
    """A grant that was not copied is not one; the caller gives it up."""
    reply, answer = replies
    if granted(reply) and not met(answer):
        raise LockNotDurable(name, durability=durability)
    return reply


def granted(reply: Any) -> bool:
    """A fence, and not the reasons why there is none."""
    return type(reply) is int


def standing(attempt: Attempt, reply: list[Any]) -> Standing:
    if reply[0] == -2:
        _, left, noticed = reply
        if noticed:
            logger.error("The lock store lost its data; no lock is granted for %g s", left / 1000)
        raise LockQuarantined(attempt.name, retry_after=left / 1000)
    if reply[0] == -1:
        raise LockQueueFull(attempt.name, limit=attempt.terms.most_waiting)
    _, ttl, fence, held_for, actor, meta, position, ticket = reply
    holder = holders.parse(fence, held_for, actor, meta) if actor else None
    return Standing(max(ttl, 0) / 1000, fence, holder, position, ticket)


def may_begin(attempt: Attempt, found: Standing, heard: float, now: float, fence: int) -> bool:
    """Whether the lock that was handed over may be trusted before it is claimed.

    A fence above the last one known at the last call was granted after that call, so its claim time
    ends later than if it had begun with the call. Any other is news from long ago. And somebody
    must be going to claim it.
    """
    terms = attempt.terms
    return (
        terms.renew
        and not attempt.share
        and terms.durability is None
        and min(terms.lease, terms.max_hold) > CLAIM
        and fence > found.fence
        and deadline(heard, CLAIM) - now > ENOUGH_TO_CLAIM
    )


def patience(found: Standing, news: News, random: float) -> float:
    """How long to sleep without news; until the holder's lease runs out at the latest."""
    if news is POLLED:
        return min(POLL * (0.5 + random / 2), found.ttl + EXPIRY_GRACE)
    return min(SAFETY_POLL, found.ttl + EXPIRY_GRACE + STAGGER * found.position)
