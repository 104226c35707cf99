"""Verbs and views for operators; the doors (admin, commands, REST, health) call these."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import redis

from .agent import agent
from .breaker import Breaker
from .change import moment
from .circuit import OVERRIDES, Override, State, Verb
from .conf import conf
from .errors import CircuitUnknown, CommandInvalid, StaleEpoch
from .history import history
from .link import link
from .names import canonical
from .policy import LONGEST
from .registry import get_breaker, known
from .rows import has_row
from .shared import SharedStore
from .store import View
from .window import Tally

LONGEST_REASON, LONGEST_ACTOR = 300, 150
HISTORY_PATIENCE = 1.0
"""Seconds for the row of a command to be written before its maker goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitStatus:
    name: str
    state: State
    override: Override | None
    override_ends_in: float | None
    """Seconds; None if there is no override, or none that ends by itself."""
    epoch: int
    calls: int
    """Within the window, as are ``failures``, ``slow`` and the rates."""
    failures: int
    slow: int
    totals: Tally
    """All calls counted since the circuit was first heard of or reset, as is ``rejected``."""
    rejected: int
    retry_after: float
    """Seconds until the first trial; 0 unless open."""
    attempt: int
    """Openings in a row."""
    opened_at: datetime | None
    changed_at: datetime | None
    """The last transition, whose ``reason`` and ``actor`` follow."""
    reason: str
    actor: str
    last_error: str
    source: Literal["shared", "local"]

    @property
    def failure_rate(self) -> float:
        return self.failures / self.calls if self.calls else 0.0

    @property
    def slow_rate(self) -> float:
        return self.slow / self.calls if self.calls else 0.0


def circuits() -> list[CircuitStatus]:
    """All circuits of the fleet, or those of this process while the shared store is out of reach.

    Takes one or two trips, each bounded by the socket timeout.
    """
    agent.start()  # which notices when the store is back
    if link.up and (shared := link.shared()):
        try:
            return list(_shared(shared))
        except redis.RedisError as error:
            link.lost(error)
    policy = conf().policy
    return [_status(name, link.local.load(name, policy), "local") for name in sorted(agent.names())]


def circuit(name: str) -> CircuitStatus:
    """Raises CircuitUnknown."""
    breaker = _breaker(name)
    breaker.replica.load()
    view = breaker.replica.look()
    return _status(breaker.name, view, "shared" if shared() else "local")


def act(
    name: str,
    verb: Verb,
    *,
    actor: str,
    reason: str,
    expires_in: float | None = None,
    expected_epoch: int | None = None,
) -> CircuitStatus:
    """Do as an operator says, for the whole fleet; an override ends after ``expires_in`` seconds.

    The transition is on record when this returns, or as soon as the database can be reached.

    Raises CircuitUnknown, CommandInvalid, StaleEpoch if the circuit is not in the expected epoch,
    and BreakerUnavailable if the shared store is out of reach: nothing was done then.
    """
    lasting = _checked(verb, actor, reason, expires_in)
    breaker = _breaker(name)
    breaker.replica.load()
    view = breaker.replica.command(
        verb, actor=actor, reason=reason, lasting=lasting, expected_epoch=expected_epoch
    )
    if not view.moved:
        raise StaleEpoch(breaker.name, view.epoch)
    history.drain(HISTORY_PATIENCE)
    return _status(breaker.name, view, "shared" if shared() else "local")


def shared() -> bool:
    """Whether the fleet has one state, as far as this process could see when it last asked."""
    return link.up and link.shared() is not None


def _checked(verb: Verb, actor: str, reason: str, expires_in: float | None) -> int:
    """Milliseconds that an override lasts; 0 is for as long as nobody ends it."""
    if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise CommandInvalid(f"A reason is one line of 1 to {LONGEST_REASON} characters.")
    if not actor or len(actor) > LONGEST_ACTOR:
        raise CommandInvalid(f"An actor is named by 1 to {LONGEST_ACTOR} characters.")
    if expires_in is None:
        return 0
    if verb not in OVERRIDES:
        raise CommandInvalid(f"There is nothing to expire after {verb.value!r}.")
    if not 1 <= expires_in <= LONGEST:
        raise CommandInvalid(f"An override lasts 1 to {LONGEST} seconds, not {expires_in:g}.")
    return round(expires_in * 1000)


def _breaker(name: str) -> Breaker:
    """That of a circuit somebody has heard of; asking must not make new ones."""
    name = canonical(name)
    if not known(name) and not _in_store(name) and not has_row(name):
        raise CircuitUnknown(name)
    return get_breaker(name)


def _in_store(name: str) -> bool:
    if link.up and (shared := link.shared()):
        try:
            return shared.knows(name)
        except redis.RedisError as error:
            link.lost(error)
    return False


def _shared(shared: SharedStore) -> Iterator[CircuitStatus]:
    mine = agent.names()
    names, policy = sorted({*shared.names(), *mine}), conf().policy
    expired = []
    for name, view in zip(names, shared.load_many(names, policy), strict=True):
        if view is None:
            yield _status(name, link.local.load(name, policy), "local")
        elif view.known or name in mine:
            yield _status(name, view, "shared")
        else:
            expired.append(name)
    if expired:
        shared.forget(expired)


def _status(name: str, view: View, source: Literal["shared", "local"]) -> CircuitStatus:
    lasts = view.override_remaining
    return CircuitStatus(
        name=name,
        state=view.state,
        override=view.override,
        override_ends_in=lasts / 1000 if lasts else None,
        epoch=view.epoch,
        calls=view.tally.calls,
        failures=view.tally.failures,
        slow=view.tally.slow,
        totals=view.totals,
        rejected=view.rejected,
        retry_after=view.remaining / 1000,
        attempt=view.attempt,
        opened_at=moment(view.opened_at),
        changed_at=moment(view.since),
        reason=view.reason,
        actor=view.actor,
        last_error=view.last_error,
        source=source,
    )
