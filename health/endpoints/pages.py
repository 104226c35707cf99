"""The bodies of /health…, rendered when the snapshot changes; a request adds only the age."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from health.conf import conf
from health.engine.snapshot import Check, Snapshot
from health.identity import Identity
from health.probes import Migrations
from health.verdict import CheckResult, Reason, Status, http_code

RETRY_SECONDS = 5
RETRY_SECONDS_STARTING = 1
AGE = "\N{HOURGLASS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """``taken`` is the monotonic time of what the page says."""

    code: int
    word: Status
    head: bytes
    tail: bytes
    taken: float
    retry_after: int | None

    def body(self) -> bytes:
        return b"%b%.1f%b" % (self.head, time.monotonic() - self.taken, self.tail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One snapshot and its pages. ``services`` and ``detailed`` exist as (words, details)."""

    snapshot: Snapshot
    overall: Page
    ready: Page
    startup: Page
    detailed: tuple[Page, Page]
    services: Mapping[str, tuple[Page, Page]]


def render(snapshot: Snapshot, identity: Identity) -> Edition:
    return Edition(
        snapshot=snapshot,
        overall=_page(snapshot, snapshot.status),
        ready=_page(snapshot, snapshot.ready(conf().ready)),
        startup=_page(snapshot, Status.PASS if _booted(snapshot) else Status.FAIL),
        detailed=_detailed(snapshot, identity),
        services={name: _service(snapshot, name) for name in snapshot.names},
    )


def unsure(snapshot: Snapshot, reason: Reason) -> Page:
    """The page for a snapshot that must not be believed, or a process that is leaving."""
    return _page(snapshot, Status.FAIL, reason=reason)


def _booted(snapshot: Snapshot) -> bool:
    """Once it is known whether the database is what this release expects."""
    known = (Status.PASS, Status.WARN)
    return snapshot.started and all(
        check.trail.latest in known for check in snapshot.of(Migrations.name)
    )


def _detailed(snapshot: Snapshot, identity: Identity) -> tuple[Page, Page]:
    uptime = round((snapshot.time - identity.started).total_seconds(), 1)
    about: dict[str, Any] = {
        "version": "1",
        "serviceId": identity.service,
        "releaseId": identity.release,
        "node": identity.node,
        "uptime": uptime,
        "source": snapshot.source,
    }
    words = {name: _words(snapshot, name) for name in snapshot.names}
    details = {name: _details(snapshot, name) for name in snapshot.names}
    return (
        _page(snapshot, snapshot.status, checks=words),
        _page(snapshot, snapshot.status, **about, checks=details),
    )


def _service(snapshot: Snapshot, name: str) -> tuple[Page, Page]:
    status = snapshot.status_of(name) if snapshot.started else Status.FAIL
    own = snapshot.only(name)
    return (
        _page(own, status, checks={name: _words(own, name)}),
        _page(own, status, checks={name: _details(own, name)}),
    )


def _page(
    snapshot: Snapshot, status: Status, *, reason: Reason | None = None, **members: Any
) -> Page:
    code = http_code(status)
    reason = reason or snapshot.reason
    document = _present(status=status, reason=reason, time=snapshot.time, age=AGE) | members
    head, _, tail = _encode(document).partition(json.dumps(AGE).encode())
    wait = RETRY_SECONDS_STARTING if reason is Reason.STARTING else RETRY_SECONDS
    return Page(
        code=code,
        word=status,
        head=head,
        tail=tail,
        taken=snapshot.taken,
        retry_after=wait if code == 503 else None,
    )


def _words(snapshot: Snapshot, name: str) -> list[dict[str, Any]]:
    return [{"status": check.status} for check in snapshot.of(name)]


def _details(snapshot: Snapshot, name: str) -> list[dict[str, Any]]:
    return [row for check in snapshot.of(name) for row in _rows(check)]


def _rows(check: Check) -> Iterator[dict[str, Any]]:
    ailing = check.status is not Status.PASS
    yield _present(
        componentId=check.component,
        componentType=check.kind,
        status=check.status,
        reason=check.trail.reason if ailing else None,
        output=f"log entry {check.entry}" if ailing and check.entry else None,
        retryAfter=check.result.retry_after,
        critical=check.critical,
        observedValue=None if check.seconds is None else round(check.seconds * 1000, 1),
        observedUnit="ms",
        time=check.time,
        since=check.since,
        lastSuccess=check.last_success,
        lastResult=check.trail.latest,
        consecutiveFailures=check.trail.failures,
        transitions24h=len(check.trail.changes),
        flapping=check.trail.flapping,
        deadlineMs=round(check.deadline * 1000),
        source=check.source,
    ) | dict(check.result.values)
    for part in check.result.parts:
        yield _part(part)


def _part(part: CheckResult) -> dict[str, Any]:
    return _present(
        componentId=part.component,
        componentType="component",
        status=part.status,
        reason=part.reason,
        retryAfter=part.retry_after,
    ) | dict(part.values)


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), default=_rfc3339).encode()


def _rfc3339(value: datetime) -> str:
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")
