"""Google's services: as their callers find them, and whether they could be called.

Never a call of our own, because each one costs money. What real calls met comes first; after that
whether there is a token, and whether somebody listens where calls would go.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from time import monotonic
from typing import Any, NamedTuple

from prometheus_client import Histogram
from prometheus_client.core import Metric

from breaker.census import Census
from breaker.classify import Outcome
from breaker.contrib.google.access import Access, Endpoint, TokenRefused, endpoint
from breaker.contrib.google.conf import Settings, conf
from breaker.contrib.google.signals import call_ended
from breaker.signals import circuit_changed
from breaker.status import CircuitStatus
from health import checker
from health.contrib.breaker import grouped
from health.engine.snapshot import Snapshot
from health.labels import Bounded
from health.probes import Probe
from health.reasons import reason_of
from health.verdict import SEVERITY, CheckResult, Reason, Status

PREFIXES = {"google_imagen": "imagen:", "google_veo": "veo:", "google_vertex_ai": "vertex:"}
# Seconds: how far back calls are counted, and how far back 429s count.
COUNTED, THROTTLED = 300.0, 60.0
# For so many intervals what was found without a call holds: a minute.
PROVEN = 12
# The share of calls answered with 429 that is more than a burst.
TOO_MANY = 0.1

DURATION = Histogram(
    "breaker_call_duration_seconds",
    "How long Google was waited for: ok, failure, throttled, slow, neutral.",
    ["breaker", "outcome"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300),
)
# 75 series each, if calls end in every way.
MOST_CIRCUITS = 30
label = Bounded("breaker_call_duration_seconds", MOST_CIRCUITS)


class Counts(NamedTuple):
    ok: int = 0
    failed: int = 0
    throttled: int = 0
    slow: int = 0

    def since(self, earlier: "Counts") -> "Counts":
        return Counts(*(now - then for now, then in zip(self, earlier, strict=True)))


class Traffic:
    """How real calls of the whole fleet ended lately."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Counts]] = deque()

    def add(self, now: float, totals: Counts) -> Counts:
        """What has come since the last look."""
        before = self._seen[-1][1] if self._seen else totals
        news = totals.since(before)
        if min(news) < 0:  # a circuit was reset: its past is gone
            self._seen.clear()
            news = Counts()
        self._seen.append((now, totals))
        while self._seen[0][0] < now - COUNTED:
            self._seen.popleft()
        return news

    def within(self, seconds: float) -> Counts:
        """Up to the last look."""
        now, latest = self._seen[-1]
        first = next(counts for at, counts in self._seen if at >= now - seconds)
        return latest.since(first)


class Google(Probe):
    source = "passive"
    # A token, a name, a connection, a handshake.
    deadline = 6.0

    def __init__(self, name: str, access: Access) -> None:
        self.name = name
        self._access = access
        self._census = Census()
        self._traffic = Traffic()
        self._asked: Endpoint | None = None
        self._found: tuple[CheckResult, ...] = ()
        self._holds = float("-inf")

    def run(self) -> CheckResult:
        wanted = conf()
        if not (wanted.project or wanted.simulator_port):
            return CheckResult(Status.UNKNOWN, Reason.NOT_CONFIGURED)
        prefix = PREFIXES[self.name]
        circuits = [one for one in self._census.circuits() if one.name.startswith(prefix)]
        now = monotonic()
        self._learn(self._traffic.add(now, totals(circuits)), now)
        self._look(wanted, now)
        counts, lately = self._traffic.within(COUNTED), self._traffic.within(THROTTLED)
        return joined(grouped(circuits), throttling(lately), self._found, counts)

    def _learn(self, news: Counts, now: float) -> None:
        """Calls that end well prove all there is to find out, and others raise the question."""
        if news.failed:
            self._holds = now
        elif news.ok:
            self._holds = now + PROVEN * self.interval

    def _look(self, wanted: Settings, now: float) -> None:
        at = endpoint(wanted)
        well = all(part.status is Status.PASS for part in self._found)
        if at == self._asked and well and now < self._holds:
            return
        self._found = tuple(possible(self._access if wanted.project else None, at))
        self._asked, self._holds = at, now + PROVEN * self.interval


def totals(circuits: Iterable[CircuitStatus]) -> Counts:
    """Of all of them together."""
    ended = [one.totals for one in circuits]
    return Counts(
        ok=sum(one.ok for one in ended),
        failed=sum(one.failed for one in ended),
        throttled=sum(one.throttled for one in ended),
        slow=sum(one.slow for one in ended),
    )


def throttling(lately: Counts) -> CheckResult:
    if lately.throttled and lately.throttled >= TOO_MANY * sum(lately):
        return CheckResult(Status.WARN, Reason.THROTTLED)
    return CheckResult(Status.PASS)


def possible(access: Access | None, at: Endpoint) -> Iterator[CheckResult]:
    """Whether a call could be made; the simulator wants no credentials."""
    if access:
        yield replace(_credentials(access), component="credentials")
    yield replace(_reach(at), component="endpoint")


def _credentials(access: Access) -> CheckResult:
    try:
        left = access.token_seconds()
    except TokenRefused as refused:
        return replace(refusal(refused.code), cause=refused)
    except OSError as error:
        return CheckResult(Status.FAIL, reason_of(error), cause=error)
    return CheckResult(Status.PASS, values={"expiresInSeconds": left and round(left)})


def refusal(code: int | None) -> CheckResult:
    match code:
        case 429:
            return CheckResult(Status.WARN, Reason.THROTTLED)
        case int() if code >= 500:
            return CheckResult(Status.FAIL, Reason.SERVER_ERROR)
    return CheckResult(Status.FAIL, Reason.CREDENTIALS)


def _reach(at: Endpoint) -> CheckResult:
    began = monotonic()
    try:
        at.reach()
    except OSError as error:
        return CheckResult(Status.FAIL, reason_of(error), cause=error)
    return CheckResult(Status.PASS, values={"connectMs": round((monotonic() - began) * 1000, 1)})


def joined(
    circuits: CheckResult,
    throttled: CheckResult,
    found: tuple[CheckResult, ...],
    counts: Counts,
) -> CheckResult:
    """The worst of all decides, and of equals the one that real calls have met."""
    worst = max((circuits, throttled, *found), key=lambda one: SEVERITY.index(one.status))
    return CheckResult(
        worst.status,
        worst.reason,
        retry_after=worst.retry_after,
        values={**circuits.values, "countedSeconds": COUNTED, **counts._asdict()},
        parts=(*found, *circuits.parts),
    )


def connect() -> None:
    circuit_changed.connect(_look_again, dispatch_uid="health.google")
    call_ended.connect(_timed, dispatch_uid="health")


def _look_again(**kwargs: object) -> None:
    checker.wake(*PREFIXES)


def _timed(*, circuit: str, outcome: Outcome, seconds: float, **_: Any) -> None:
    DURATION.labels(label(circuit), outcome).observe(seconds)


def probes() -> list[Probe]:
    access = Access()
    return [Google(name, access) for name in PREFIXES]


def metrics(snapshot: Snapshot) -> Iterator[Metric]:
    """None of its own: health_status and breaker_state say it all."""
    return iter(())
