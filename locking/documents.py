"""Locks as JSON, for programs at a terminal: what REST says, without its framework."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from .inspection import Hold, LockStatus, Waiter
from .models import ForcedRelease

Document = dict[str, Any]


def lock(found: LockStatus) -> Document:
    holder = found.holder
    return {
        "name": found.name,
        "kind": found.kind,
        "phase": found.phase,
        "fence": holder and holder.fence,
        "holder": holder
        and {
            "host": holder.host,
            "pid": holder.pid,
            "thread": holder.thread,
            "meta": dict(holder.meta),
        },
        "held_for": holder and holder.held_for,
        "expires_in": found.expires_in,
        "held": found.held,
        "holders": [_hold(hold) for hold in found.holds],
        "waiting": found.waiting,
        "waiters": [_waiter(waiter) for waiter in found.waiters],
        "grants": found.grants,
        "contended": found.contended,
        "forced": found.forced,
    }


def _hold(hold: Hold) -> Document:
    return {
        "fence": hold.holder.fence,
        "mode": hold.mode,
        "phase": hold.phase,
        "held_for": hold.holder.held_for,
        "expires_in": hold.expires_in,
        "host": hold.holder.host,
        "pid": hold.holder.pid,
        "thread": hold.holder.thread,
        "meta": dict(hold.holder.meta),
    }


def _waiter(waiter: Waiter) -> Document:
    return {
        "position": waiter.position,
        "waited": waiter.waited,
        "host": waiter.host,
        "pid": waiter.pid,
    }


def forced_release(record: ForcedRelease) -> Document:
    at = _here(record.at).isoformat()
    return {
        "id": record.pk,
        "name": record.name,
        "kind": record.kind,
        "fence": record.fence,
        "holder": record.holder,
        "meta": record.meta,
        "actor": record.actor,
        "reason": record.reason,
        "at": f"{at[:-6]}Z" if at.endswith("+00:00") else at,
        "outcome": record.outcome,
    }


def _here(at: datetime) -> datetime:
    return timezone.localtime(at) if timezone.is_aware(at) else at
