"""The parts of the page, each with a version: who has that version need not draw it again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.utils import timezone

from health import contrib
from health.engine.snapshot import Check, Snapshot
from health.identity import this_process
from health.verdict import SEVERITY, Reason, Status

from . import records
from .panels import Listing, Panel
from .timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One service, as the worst of its checks has it. ``latency`` is in milliseconds."""

    name: str
    status: Status
    reason: Reason | None
    critical: bool
    since: datetime | None
    latency: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    status: Status
    reason: Reason | None
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """``template`` says how to draw it; a table is that of a ``panel``."""

    name: str
    version: str
    content: Services | Timeline | Listing
    template: str
    panel: Panel | None = None


def sections(snapshot: Snapshot, *, stale: bool, may: Callable[[str], bool]) -> Iterator[Section]:
    """Those that a user sees who has the permissions that ``may`` says."""
    yield _section("services", services(snapshot, stale=stale), "services")
    for panel in (*contrib.panels(), *records.panels()):
        if any(map(may, panel.permissions)):
            yield _section(panel.name, panel.look(snapshot), "table", panel)
    if may("health.view_healthtransition"):
        node, now = this_process().node, timezone.now()
        with_alerts = may("health.view_alert")
        day = records.timeline(snapshot, node=node, now=now, with_alerts=with_alerts)
        yield _section("timeline", day, "timeline")


def _section(
    name: str, content: Services | Timeline | Listing, kind: str, panel: Panel | None = None
) -> Section:
    return Section(
        name=name,
        version=version(content),
        content=content,
        template=f"admin/health/operations/{kind}.html",
        panel=panel,
    )


def services(snapshot: Snapshot, *, stale: bool) -> Services:
    return Services(
        status=Status.FAIL if stale else snapshot.status,
        reason=Reason.STALE if stale else snapshot.reason,
        tiles=tuple(_tile(name, list(snapshot.of(name))) for name in snapshot.names),
    )


def _tile(name: str, checks: list[Check]) -> Tile:
    worst = max(checks, key=lambda check: SEVERITY.index(check.status))
    took = [check.seconds for check in checks if check.seconds is not None]
    return Tile(
        name=name,
        status=worst.status,
        reason=None if worst.status is Status.PASS else worst.trail.reason,
        critical=any(check.critical for check in checks),
        since=worst.since,
        latency=round(max(took) * 1000, 1) if took else None,
    )


def version(content: Any) -> str:
    """Moments are told by the second, so that those computed from durations stay the same."""
    return sha256(repr(content).encode()).hexdigest()[:16]
