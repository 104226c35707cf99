"""Health's own panels: alerts that hold, and what changed last, as the database has them."""

from collections.abc import Iterator
from datetime import datetime

from django.urls import reverse
from django.utils.http import urlencode

from health.engine.snapshot import Snapshot
from health.models import Alert, HealthTransition, States
from health.verdict import Status

from .panels import MOST_ROWS, Form, Listing, Panel, Row
from .timeline import LENGTH, Change, Timeline, end_of, strips

MOST_CHANGES = 20
MOST_MARKS = 1_000


def panels() -> Iterator[Panel]:
    yield Panel(
        name="alerts",
        title="Alerts",
        subject="Alert",
        columns=(
            ("Service", Form.TEXT),
            ("Node", Form.TEXT),
            ("Severity", Form.TEXT),
            ("Since", Form.SINCE),
        ),
        permissions=("health.view_alert",),
        everything="admin:health_alert_changelist",
        calm="Nothing is wrong that somebody should know.",
        look=alerts,
    )
    yield Panel(
        name="changes",
        title="Latest changes",
        subject="Service",
        columns=(
            ("Before", Form.TEXT),
            ("Reason", Form.TEXT),
            ("Node", Form.TEXT),
            ("Ago", Form.SINCE),
        ),
        permissions=("health.view_healthtransition",),
        everything="admin:health_healthtransition_changelist",
        calm="Nothing has changed yet.",
        look=changes,
        announced=False,
    )


def alerts(snapshot: Snapshot) -> Listing:
    holding = Alert.objects.filter(state__in=(States.FIRING, States.PENDING))
    found = list(holding.order_by("state", "-changed_at")[: MOST_ROWS + 1])
    rows = tuple(map(_alert, found[:MOST_ROWS]))
    return Listing(rows=rows, more=len(found) > MOST_ROWS)


def _alert(alert: Alert) -> Row:
    return Row(
        status=Status.FAIL if alert.state == States.FIRING else Status.WARN,
        word=alert.state,
        name=alert.alert,
        href=reverse("admin:health_alert_change", args=[alert.pk]),
        cells=(
            _place(alert.service, alert.component),
            alert.node or None,
            alert.severity,
            _second(alert.since),
        ),
    )


def changes(snapshot: Snapshot) -> Listing:
    found = list(HealthTransition.objects.all()[: MOST_CHANGES + 1])
    rows = tuple(map(_change, found[:MOST_CHANGES]))
    return Listing(rows=rows, more=len(found) > MOST_CHANGES)


def _change(change: HealthTransition) -> Row:
    page = reverse("admin:health_healthtransition_changelist")
    return Row(
        status=Status(change.after),
        word=change.after,
        name=_place(change.service, change.component),
        href=f"{page}?{urlencode({'service': change.service})}",
        cells=(
            change.before,
            change.reason.replace("_", " ") or None,
            change.node,
            _second(change.at),
        ),
    )


def timeline(snapshot: Snapshot, *, node: str, now: datetime) -> Timeline:
    """As this node has seen it, up to the next full five minutes."""
    end = end_of(now)
    rows = HealthTransition.objects.filter(node=node, at__gt=end - LENGTH, at__lte=now)
    changes = [
        Change(row.service, row.component, Status(row.before), Status(row.after), row.at)
        for row in rows.order_by("-at")[:MOST_MARKS]
    ]
    shown: dict[str, dict[str, Status]] = {name: {} for name in snapshot.names}
    for check in snapshot.checks:
        shown[check.name][check.component] = check.status
    return Timeline(end=end, strips=strips(reversed(changes), shown, end=end))


def _place(service: str, component: str) -> str:
    """Most services have one component, of no name of its own."""
    return service if component in ("", "default") else f"{service} {component}"


def _second(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(microsecond=0)
