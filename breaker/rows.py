"""Circuits in the database. Models load late: this package is imported before them."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import router, transaction
from django.utils import timezone

from .change import Change
from .circuit import Override, State
from .seed import Seed
from .window import Tally

if TYPE_CHECKING:
    from .models import BreakerTransition

CLOSED = {"state": State.CLOSED, "override": ""}
"""Of such circuits there is nothing to bring back."""


def write(change: Change) -> None:
    """Keep a transition; doing so twice, or after a later one, changes nothing."""
    from .models import BreakerState, BreakerTransition

    transition = BreakerTransition(
        name=change.name,
        epoch=change.epoch,
        from_state=change.from_state,
        to_state=change.to_state,
        reason=change.reason,
        actor=change.actor,
        counts=counts(change.tally),
        last_error=change.last_error,
        host=change.host,
        pid=change.pid,
        at=change.at,
    )
    state = {
        "state": change.state,
        "override": change.override or "",
        "override_until": change.override_until,
        "epoch": change.epoch,
        "attempt": change.attempt,
        "opened_at": change.opened_at,
        "open_until": change.open_until,
        "last_error": change.last_error,
        "reason": change.reason,
        "actor": change.actor,
        "changed_at": change.at,
    }
    rows = BreakerState.objects
    with transaction.atomic(using=router.db_for_write(BreakerState)):
        BreakerTransition.objects.bulk_create([transition], ignore_conflicts=True)
        rows.bulk_create([BreakerState(name=change.name, **state)], ignore_conflicts=True)
        rows.filter(name=change.name, epoch__lt=change.epoch).update(**state)


def is_written(change: Change) -> bool:
    from .models import BreakerTransition

    return BreakerTransition.objects.filter(name=change.name, epoch=change.epoch).exists()


def counts(tally: Tally) -> dict[str, int]:
    found = asdict(tally)
    del found["streak"]
    return found


def remembered(name: str) -> Seed | None:
    """What to sow where a circuit was lost: nothing if it was just closed."""
    from .models import BreakerState

    row = BreakerState.objects.filter(name=name).exclude(**CLOSED).first()
    if row is None:
        return None
    return Seed(
        state=State(row.state),
        epoch=row.epoch,
        remaining=_left(row.open_until or row.changed_at),
        override=Override(row.override) if row.override else None,
        # An override that ended meanwhile is sown for a moment, and ends by itself.
        override_remaining=max(_left(row.override_until), 1) if row.override_until else 0,
        attempt=row.attempt,
        opened_at=int(row.opened_at.timestamp() * 1000) if row.opened_at else 0,
        last_error=row.last_error,
        reason=row.reason,
        actor=row.actor,
    )


def remembered_names(*, closed: bool = True) -> list[str]:
    """Of all circuits, or without those that are just closed."""
    from .models import BreakerState

    rows = BreakerState.objects.all() if closed else BreakerState.objects.exclude(**CLOSED)
    return list(rows.values_list("name", flat=True))


def has_row(name: str) -> bool:
    from .models import BreakerState

    return BreakerState.objects.filter(name=name).exists()


def transitions_of(name: str, *, before: int | None, most: int) -> "list[BreakerTransition]":
    """The latest, of those before an epoch."""
    from .models import BreakerTransition

    rows = BreakerTransition.objects.filter(name=name).order_by("-epoch")
    return list(rows.filter(epoch__lt=before)[:most] if before is not None else rows[:most])


def configurations() -> list[tuple[str, Any]]:
    """Patterns, and the options for them, of the rows that are enabled."""
    from .models import BreakerConfig

    # Where they are written, because a copy may lag behind the announcement of a change.
    rows = BreakerConfig.objects.using(alias_of_rows()).filter(enabled=True)
    return list(rows.order_by("pattern").values_list("pattern", "options"))


def within_transaction() -> bool:
    """Whether the caller would read its own changes of configuration, which may yet be undone."""
    return bool(transaction.get_connection(alias_of_rows()).in_atomic_block)


def alias_of_rows() -> str:
    """Of the database where they are written."""
    from .models import BreakerConfig

    return router.db_for_write(BreakerConfig)


def _left(until: datetime) -> int:
    return max(int((until - timezone.now()).total_seconds() * 1000), 0)
