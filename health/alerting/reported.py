"""What Prometheus says of its alerts, on record beside ours: shown, and never acted on.

Alertmanager repeats what it says, several of them may say it, and one may come late. So a report
counts only if it is of a later outage than the one on record, or of its end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from health.models import Alert, Origins, States

MOST_TRIES = 10
# It always fires, to show that alerts arrive.
HEARTBEAT = "heartbeat"
# Where a rule of ours says what it is about, the most telling first.
PARTS = ("component", "breaker", "pattern", "metric")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``fingerprint`` is Alertmanager's; ``ended`` None while it fires."""

    fingerprint: str
    labels: Mapping[str, str]
    summary: str
    began: datetime
    ended: datetime | None

    @property
    def key(self) -> str:
        return sha256(f"{Origins.PROMETHEUS}\0{self.fingerprint}".encode()).hexdigest()

    @property
    def age(self) -> tuple[datetime, bool]:
        """Of two reports about one alert the greater one counts."""
        return self.began, self.ended is not None


def take(reports: Iterable[Report]) -> int:
    """How many of them were news."""
    latest: dict[str, Report] = {}
    for report in sorted(reports, key=lambda one: one.age):
        if report.labels.get("severity") != HEARTBEAT:
            latest[report.key] = report
    news = _news(latest)
    found = len(news)
    for _ in range(MOST_TRIES):
        if not news:
            return found
        # Somebody else may have written meanwhile, so this is not over until there is no news.
        news = _news(news)
    raise IntegrityError("alerts change faster than they can be written")


def prune(*, days: float) -> int:
    """Those of which nothing new was heard for so long."""
    old = timezone.now() - timedelta(days=days)
    rows = Alert.objects.filter(origin=Origins.PROMETHEUS, changed_at__lt=old)
    return rows.delete()[0]


def _news(reports: Mapping[str, Report]) -> dict[str, Report]:
    """Write down what is new, if it still is."""
    known = {row.fingerprint: row for row in Alert.objects.filter(fingerprint__in=list(reports))}
    news = {
        key: report
        for key, report in reports.items()
        if key not in known or report.age > _age(known[key])
    }
    fresh = [Alert(fingerprint=key, **_columns(news[key])) for key in news.keys() - known.keys()]
    Alert.objects.bulk_create(fresh, ignore_conflicts=True)
    for key in news.keys() & known.keys():
        row = known[key]
        unchanged = Alert.objects.filter(pk=row.pk, version=row.version)
        unchanged.update(version=row.version + 1, **_columns(news[key]))
    return news


def _age(row: Alert) -> tuple[datetime | None, bool]:
    return row.fired_at, row.state == States.QUIET


def _columns(report: Report) -> dict[str, Any]:
    labels = report.labels
    part = next((labels[name] for name in PARTS if labels.get(name)), "default")
    return {
        "origin": Origins.PROMETHEUS,
        "alert": _cut(labels.get("alertname", ""), 60),
        "service": _cut(labels.get("service", ""), 40),
        "component": _cut(part, 200),
        "node": _cut(labels.get("instance", ""), 255),
        "severity": _cut(labels.get("severity", ""), 10),
        "state": States.QUIET if report.ended else States.FIRING,
        "summary": _cut(report.summary, 300),
        "since": report.began,
        "fired_at": report.began,
        "resolved_at": report.ended,
        "changed_at": report.ended or report.began,
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
