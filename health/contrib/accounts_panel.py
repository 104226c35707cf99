"""Locked accounts on the operations page, those tried last first."""

from django.urls import reverse
from django.utils.http import urlencode

from accounts import lockouts
from accounts.models import LoginGuard
from health.engine.snapshot import Snapshot
from health.operations.panels import MOST_ROWS, Form, Listing, Panel, Row
from health.verdict import Status


def panel() -> Panel:
    return Panel(
        name="accounts",
        title="Locked accounts",
        subject="Account",
        columns=(
            ("Failures", Form.NUMBER),
            ("Level", Form.NUMBER),
            ("Last try", Form.SINCE),
            ("Ends in", Form.UNTIL),
        ),
        permissions=("accounts.view_loginguard",),
        everything="admin:accounts_loginguard_changelist",
        calm="No account is locked.",
        look=look,
    )


def look(snapshot: Snapshot) -> Listing:
    guards = list(lockouts.locked().order_by("-touched_at")[: MOST_ROWS + 1])
    return Listing(rows=tuple(map(_row, guards[:MOST_ROWS])), more=len(guards) > MOST_ROWS)


def _row(guard: LoginGuard) -> Row:
    page = reverse("admin:accounts_loginguard_changelist")
    sought = guard.user.get_username() if guard.user else guard.digest
    return Row(
        status=Status.WARN,
        word="until unlocked" if guard.hard else "locked",
        name=sought if guard.user else f"no user ({guard.digest[:8]})",
        href=f"{page}?{urlencode({'locked': 'yes', 'q': sought})}",
        cells=(
            guard.failed,
            guard.level,
            guard.touched_at.replace(microsecond=0),
            None if guard.hard or not guard.locked_until else guard.locked_until,
        ),
    )
