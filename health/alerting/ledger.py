"""Alerts in the database, where all nodes meet. Each change is one conditional UPDATE.

Everything here may hang or raise ``django.db.Error``: its callers have a ``Deputy`` for that.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction

from health.models import Alert, Origins
from health.models import Silence as SilenceRow

from .mutes import Silence
from .rules import RULES
from .states import Labels, Record, State, Told, Word, claimable, forget_promises, merge, promise

MOST_TRIES = 10
Change = Callable[[Record], Record]


def live() -> dict[str, Record]:
    """All that are not quiet, by their fingerprints; not what Prometheus says."""
    own = Alert.objects.filter(origin=Origins.OWN, alert__in=list(RULES))
    rows = own.exclude(state=State.QUIET)
    return {row.fingerprint: _record(row) for row in rows}


def absorb(records: Iterable[Record]) -> None:
    """Put in what this node decided while it was alone."""
    for record in records:
        _change(record, partial(merge, record))


def apply(record: Record, change: Change) -> Record:
    """Change the row as it is now; ``record`` is what to begin with where there is none."""
    return _change(record, lambda shared: change(shared or record))


def claim(
    records: Iterable[Record],
    node: str,
    *,
    hearing: Mapping[str, Collection[str]],
    until: float,
    now: float,
) -> list[Record]:
    """Those that this node alone may speak of until then; ``hearing`` are the channels that are
    about to hear that they fire, by fingerprint.

    All nodes go through them in one order, so who loses the first one leaves the others too, and
    what belongs together is not told apart.
    """
    taken: list[Record] = []
    for record in sorted(records, key=lambda one: one.fingerprint):
        row = Alert.objects.filter(fingerprint=record.fingerprint).first()
        if row is None:
            break
        found = _record(row)
        # Another may have spoken since this node looked.
        news = (found.state, found.told) != (record.state, record.told)
        if news or not claimable(found, node, now=now):
            break
        promised = promise(found, hearing[found.fingerprint], at=now)
        claimed = replace(promised, claimed_by=node, claimed_until=until)
        if not _swap(row, claimed):
            break
        taken.append(claimed)
    return taken


def settle(records: Iterable[Record], *, node: str) -> list[Record]:
    """Write down who has heard what, and give the claims back."""
    return [_change(record, partial(_settled, record, node)) for record in records]


def _settled(own: Record, node: str, shared: Record | None) -> Record:
    known = merge(own, shared)
    if known.claimed_by != node:
        return known
    return replace(forget_promises(known), claimed_by="", claimed_until=0.0)


def silences(now: float) -> tuple[Silence, ...]:
    rows = SilenceRow.objects.filter(expires_at__gt=_time(now))
    return tuple(
        Silence(
            alert=row.alert,
            service=row.service,
            starts=row.created_at.timestamp(),
            expires=row.expires_at.timestamp(),
        )
        for row in rows
    )


def _change(record: Record, change: Callable[[Record | None], Record]) -> Record:
    for _ in range(MOST_TRIES):
        row = Alert.objects.filter(fingerprint=record.fingerprint).first()
        before = _record(row) if row else None
        after = change(before)
        if after == before or (row is None and after.state is State.QUIET):
            return after
        if _swap(row, after) if row else _insert(after):
            return after
    raise IntegrityError(f"{record.labels} changes faster than it can be written")


def _swap(row: Alert, record: Record) -> bool:
    unchanged = Alert.objects.filter(pk=row.pk, version=row.version)
    return unchanged.update(version=row.version + 1, **_columns(record)) == 1


def _insert(record: Record) -> bool:
    labels = record.labels
    try:
        with transaction.atomic():
            Alert.objects.create(
                fingerprint=record.fingerprint,
                alert=labels.alert,
                service=labels.service,
                component=labels.component,
                node=labels.node,
                **_columns(record),
            )
    except IntegrityError:
        return False
    return True


def _columns(record: Record) -> dict[str, Any]:
    return {
        "severity": record.labels.severity,
        "state": record.state,
        "reason": record.reason,
        "since": _time(record.since),
        "fired_at": _time(record.fired_at),
        "resolved_at": _time(record.resolved_at),
        "changed_at": datetime.fromtimestamp(record.changed_at, UTC),
        "reporters": dict(record.reporters),
        "told": {name: [told.word, told.at, told.sure] for name, told in record.told.items()},
        "claimed_by": record.claimed_by,
        "claimed_until": _time(record.claimed_until),
    }


def _record(row: Alert) -> Record:
    return Record(
        labels=Labels(
            alert=row.alert,
            service=row.service,
            component=row.component,
            node=row.node,
            severity=row.severity,
        ),
        state=State(row.state),
        reason=row.reason,
        since=_seconds(row.since),
        fired_at=_seconds(row.fired_at),
        resolved_at=_seconds(row.resolved_at),
        changed_at=_seconds(row.changed_at),
        reporters=row.reporters,
        told={name: Told(Word(word), at, sure) for name, (word, at, sure) in row.told.items()},
        claimed_by=row.claimed_by,
        claimed_until=_seconds(row.claimed_until),
    )


def _time(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0
