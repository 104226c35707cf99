"""Verbs and views for operators; the doors (admin, commands, health) call these."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import redis

from .agent import agent
from .change import moment
from .circuit import State
from .link import link
from .shared import SharedStore
from .store import View


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitStatus:
    name: str
    state: State
    override: None
    """Nothing overrides a circuit yet."""
    epoch: int
    calls: int
    """Within the window, as are ``failures``."""
    failures: int
    rejected: int
    """Since the circuit was first heard of."""
    retry_after: float
    """Seconds until the first trial; 0 unless open."""
    opened_at: datetime | None
    last_error: str
    source: Literal["shared", "local"]


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
    return [_status(name, link.local.load(name), "local") for name in sorted(agent.names())]


def shared() -> bool:
    """Whether the fleet has one state, as far as this process could see when it last asked."""
    return link.up and link.shared() is not None


def _shared(shared: SharedStore) -> Iterator[CircuitStatus]:
    mine = agent.names()
    names = sorted({*shared.names(), *mine})
    expired = []
    for name, view in zip(names, shared.load_many(names), strict=True):
        if view.known or name in mine:
            yield _status(name, view, "shared")
        else:
            expired.append(name)
    if expired:
        shared.forget(expired)


def _status(name: str, view: View, source: Literal["shared", "local"]) -> CircuitStatus:
    return CircuitStatus(
        name=name,
        state=view.state,
        override=None,
        epoch=view.epoch,
        calls=view.tally.calls,
        failures=view.tally.failures,
        rejected=view.rejected,
        retry_after=view.remaining / 1000,
        opened_at=moment(view.opened_at),
        last_error=view.last_error,
        source=source,
    )
