"""Circuits as JSON: what REST answers and ``manage.py breakers --json`` prints."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from . import control
from .circuit import Reason
from .policy import Policy
from .rows import counts
from .status import CircuitStatus

if TYPE_CHECKING:
    from .models import BreakerConfig, BreakerTransition

Document = dict[str, Any]
PRIVATE = {"last_error": "", "actor": "", "host": "", "pid": None}
"""And what is told instead."""


def circuits(found: Sequence[CircuitStatus]) -> list[Document]:
    force = control.policies([one.name for one in found])
    return [_circuit(one, force[one.name]) for one in found]


def circuit(found: CircuitStatus) -> Document:
    return _circuit(found, control.policy(found.name))


def _circuit(found: CircuitStatus, force: Policy) -> Document:
    return {
        "name": found.name,
        "state": found.state,
        "override": found.override,
        "override_ends_in": found.override_ends_in,
        "epoch": found.epoch,
        "calls": found.calls,
        "failures": found.failures,
        "slow": found.slow,
        "failure_rate": found.failure_rate,
        "slow_rate": found.slow_rate,
        "rejected": found.rejected,
        "totals": counts(found.totals),
        "retry_after": found.retry_after,
        "attempt": found.attempt,
        "opened_at": _written(found.opened_at),
        "open_until": _written(found.open_until),
        "changed_at": _written(found.changed_at),
        "reason": found.reason,
        "actor": found.actor,
        "last_error": found.last_error,
        "source": found.source,
        "config": asdict(force),
        "configured": control.configured(found.name, force),
    }


def config(row: "BreakerConfig") -> Document:
    return {
        "pattern": row.pattern,
        "options": row.given,
        "enabled": row.enabled,
        "version": row.version,
        "updated_at": _written(row.updated_at),
        "updated_by": row.updated_by,
    }


def transition(row: "BreakerTransition") -> Document:
    return {
        "epoch": row.epoch,
        "from_state": row.from_state,
        "to_state": row.to_state,
        "reason": row.reason,
        "actor": row.actor,
        "at": _written(row.at),
        "counts": row.counts,
        "last_error": row.last_error,
        "host": row.host,
        "pid": row.pid,
    }


def public(document: Document) -> Document:
    """A circuit or a transition without what may tell of addresses, accounts and people."""
    blank = {name: nothing for name, nothing in PRIVATE.items() if name in document}
    said_by_machine = document["reason"] in tuple(Reason)
    return document | blank | {"reason": document["reason"] if said_by_machine else ""}


def _written(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
