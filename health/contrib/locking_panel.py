"""Locks on the operations page. The snapshot knows them by pattern only: the store is asked."""

from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from health.engine.snapshot import Snapshot
from health.operations.panels import MOST_ROWS, Form, Listing, Panel, Row
from health.verdict import Status
from locking import control
from locking.errors import LockUnavailable
from locking.inspection import LockStatus

from .locking import Locks

SILENT = "The lock store does not answer: nothing is known about the locks until it does."


def panel() -> Panel:
    return Panel(
        name="locks",
        title="Locks held",
        subject="Lock",
        columns=(
            ("Holder", Form.TEXT),
            ("Held for", Form.SINCE),
            ("Ends in", Form.UNTIL),
            ("Waiting", Form.NUMBER),
        ),
        permissions=("locking.view_heldlock", "locking.force_release"),
        everything="admin:locking_heldlock_changelist",
        calm="No lock is held.",
        look=look,
    )


def look(snapshot: Snapshot) -> Listing:
    # Who knows that it is down need not wait for it once more.
    if snapshot.status_of(Locks.name) is Status.FAIL:
        return Listing(trouble=SILENT)
    try:
        page = control.held(limit=MOST_ROWS)
    except LockUnavailable:
        return Listing(trouble=SILENT)
    now = timezone.now()
    rows = tuple(_row(lock, now) for lock in page.rows)
    return Listing(rows=rows, more=page.following is not None)


def _row(lock: LockStatus, now: datetime) -> Row:
    page = reverse("admin:locking_heldlock_lock")
    holder, ends = lock.holder, lock.expires_in
    return Row(
        status=Status.PASS,
        word=lock.phase,
        name=lock.name,
        href=f"{page}?{urlencode({'name': lock.name, 'kind': lock.kind})}",
        cells=(
            f"{holder.host}:{holder.pid}:{holder.thread}" if holder else None,
            _second(now - timedelta(seconds=holder.held_for)) if holder else None,
            None if ends is None else _second(now + timedelta(seconds=ends)),
            lock.waiting,
        ),
    )


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
