"""Health's own panels: alerts that hold, and what changed last, as the database has them."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q
from django.urls import reverse
from django.utils.http import urlencode

from health.engine.snapshot import Snapshot
from health.models import Alert, HealthTransition, Origins, States
from health.verdict import Status

from .panels import MOST_ROWS, Form, Listing, Panel, Row
from .timeline import LENGTH, Change, Spell, Timeline, end_of, spells, strips

MOST_CHANGES = 20
MOST_MARKS = 1_000
MOST_SPELLS = 12


def panels() -> Iterator[Panel]:
    yield Panel(
        name="alerts",
        title="Alerts",
        subject="Alert",
        columns=(
            ("Service", Form.TEXT),
            ("Node", Form.TEXT),
            ("Told by", Form.TEXT),
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
            Origins(alert.origin).label,
            alert.severity or None,
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


def timeline(snapshot: Snapshot, *, node: str, now: datetime, with_alerts: bool) -> Timeline:
    """Services as this node has seen them and alerts, up to the next full five minutes."""
    end = end_of(now)
    rows = HealthTransition.objects.filter(node=node, at__gt=end - LENGTH, at__lte=now)
    changes = [
        Change(row.service, row.component, Status(row.before), Status(row.after), row.at)
        for row in rows.order_by("-at")[:MOST_MARKS]
    ]
    shown: dict[str, dict[str, Status]] = {name: {} for name in snapshot.names}
    for check in snapshot.checks:
        shown[check.name][check.component] = check.status
    services = strips(reversed(changes), shown, end=end)
    fired = spells(_fired(end - LENGTH), end=end) if with_alerts else ()
    return Timeline(end=end, strips=(*services, *fired))


def _fired(begin: datetime) -> Iterator[Spell]:
    """The last time that each alert fired, if that was not over before."""
    firing, over = Q(state=States.FIRING), Q(resolved_at__gt=begin)
    rows = Alert.objects.filter(firing | over, fired_at__isnull=False).order_by("-fired_at")
    for row in rows[:MOST_SPELLS]:
        yield Spell(
            name=f"{row.alert} {_place(row.service, row.component)}".strip(),
            status=Status.FAIL if row.severity == "page" else Status.WARN,
            began=row.fired_at or begin,
            ended=None if row.state == States.FIRING else row.resolved_at,
        )


def _place(service: str, component: str) -> str:
    """Most services have one component, of no name of its own."""
    return service if component in ("", "default") else f"{service} {component}".strip()


def _second(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(microsecond=0)
