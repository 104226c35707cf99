"""The parts of the page, each with a version: who has that version need not draw it again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from health import contrib
from health.snapshot import Check, Snapshot
from health.verdict import SEVERITY, Reason, Status

from . import records
from .panels import Listing, Panel


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
    """``panel`` is None for the services."""

    name: str
    version: str
    content: Services | Listing
    panel: Panel | None = None


def sections(snapshot: Snapshot, *, stale: bool, may: Callable[[str], bool]) -> Iterator[Section]:
    """Those that a user sees who has the permissions that ``may`` says."""
    shown = services(snapshot, stale=stale)
    yield Section(name="services", version=version(shown), content=shown)
    for panel in (*contrib.panels(), *records.panels()):
        if any(map(may, panel.permissions)):
            listing = panel.look(snapshot)
            yield Section(name=panel.name, version=version(listing), content=listing, panel=panel)


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
