"""The bodies of /health…, rendered when the snapshot changes; a request adds only the age."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .identity import Identity
from .snapshot import Check, Snapshot
from .verdict import CheckResult, Reason, Status, http_code

RETRY_SECONDS = {None: 5, Reason.STARTING: 1, Reason.DRAINING: 5, Reason.STALE: 5}
_AGE = "\N{HOURGLASS}"


@dataclass(frozen=True, slots=True)
class Page:
    code: int
    word: Status
    head: bytes
    tail: bytes
    retry_after: int | None

    def body(self, age: float) -> bytes:
        return b"%b%.1f%b" % (self.head, age, self.tail)


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
    def page(status: Status, **members: Any) -> Page:
        return _page(snapshot, status, snapshot.reason, members)

    def pages(names: list[str], status: Status, **members: Any) -> tuple[Page, Page]:
        words = {name: [_word(check) for check in snapshot.of(name)] for name in names}
        details = {
            name: [row for check in snapshot.of(name) for row in _details(check)] for name in names
        }
        return page(status, checks=words), page(status, **members, checks=details)

    names = snapshot.names
    uptime = round((snapshot.time - identity.started).total_seconds(), 1)
    return Edition(
        snapshot=snapshot,
        overall=page(snapshot.status),
        ready=page(snapshot.ready),
        startup=page(Status.PASS if snapshot.started else Status.FAIL),
        detailed=pages(
            names,
            snapshot.status,
            version="1",
            releaseId=identity.release,
            node=identity.node,
            uptime=uptime,
        ),
        services={name: pages([name], _service(snapshot, name)) for name in names},
    )


def unsure(snapshot: Snapshot, reason: Reason) -> Page:
    """The page for a snapshot that must not be believed, or a process that is leaving."""
    return _page(snapshot, Status.FAIL, reason, {})


def _service(snapshot: Snapshot, name: str) -> Status:
    return snapshot.status_of(name) if snapshot.started else Status.FAIL


def _page(
    snapshot: Snapshot, status: Status, reason: Reason | None, members: dict[str, Any]
) -> Page:
    code = http_code(status)
    document = _present(status=status, reason=reason, time=snapshot.time, age=_AGE) | members
    head, _, tail = _encode(document).partition(json.dumps(_AGE).encode())
    return Page(code, status, head, tail, RETRY_SECONDS[reason] if code == 503 else None)


def _word(check: Check) -> dict[str, Any]:
    return {"status": check.status}


def _details(check: Check) -> Iterator[dict[str, Any]]:
    yield _present(
        componentId=check.component,
        componentType=check.kind,
        status=check.status,
        reason=None if check.status is Status.PASS else check.trail.reason,
        retryAfter=check.result.retry_after,
        critical=check.critical,
        observedValue=None if check.seconds is None else round(check.seconds * 1000, 1),
        observedUnit="ms",
        time=check.time,
        since=check.since,
        lastSuccess=check.last_success,
        lastResult=check.trail.latest,
        consecutiveFailures=check.trail.failures,
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
