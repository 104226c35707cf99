"""Does the lock store grant locks, how many are held, and what happens to them.

A label is the pattern of a lock's name, never the name: names are as many as there are things.
"""

from bisect import bisect_left
from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from health import checker
from health.engine.snapshot import Snapshot
from health.labels import OTHER, Bounded
from health.probes import Probe
from health.verdict import CheckResult, Status
from locking import control, signals
from locking.control import PatternOverview
from locking.ledger import Entry, ledger
from locking.patterns import HTTP, pattern

# Patterns that get a series each; whatever comes later is counted as one.
MOST_PATTERNS = 50
BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 3600)


class Holds(Histogram):
    """Locks come faster than a histogram takes them one by one."""

    def observe_many(self, bucket: int, times: int, seconds: float) -> None:
        """So many in one bucket, which took so long together."""
        self._buckets[bucket].inc(times)
        self._sum.inc(seconds)


ACQUISITIONS = Counter(
    "locking_acquisitions",
    "Locks granted at once, granted after a wait, given up because of a deadlock.",
    ["pattern", "outcome"],
)
WAIT = Histogram(
    "locking_wait_seconds", "How long who had to wait waited.", ["pattern"], buckets=BUCKETS
)
HOLD = Holds(
    "locking_hold_seconds", "How long locks were held until released.", ["pattern"], buckets=BUCKETS
)
LOST = Counter("locking_lost", "Leases that ended before their release.", ["pattern"])
FORCED = Counter("locking_forced", "Locks taken from their holders by operators.", ["pattern"])
AT_ONCE, WAITED, DEADLOCK = "granted", "waited", "deadlock"


class Locks(Probe):
    name = "locks"
    kind = "datastore"
    deadline = 1.5

    def run(self) -> CheckResult:
        control.probe()
        overview = control.overview()
        values = {
            "held": overview.held,
            "waiting": overview.waiting,
            "oldestHoldSeconds": overview.oldest_hold,
        }
        parts = tuple(_part(group) for group in folded(overview.patterns))
        return CheckResult(Status.PASS, values=values, parts=parts)


def folded(groups: tuple[PatternOverview, ...]) -> Iterator[PatternOverview]:
    """The patterns with most locks, and the others as one."""
    ranked = sorted(groups, key=lambda group: -group.held)
    yield from ranked[:MOST_PATTERNS]
    if rest := ranked[MOST_PATTERNS:]:
        yield PatternOverview(
            pattern=OTHER,
            held=sum(group.held for group in rest),
            waiting=sum(group.waiting for group in rest),
            oldest_hold=max(group.oldest_hold for group in rest),
        )


def _part(group: PatternOverview) -> CheckResult:
    values = {
        "held": group.held,
        "waiting": group.waiting,
        "oldestHoldSeconds": group.oldest_hold,
    }
    return CheckResult(Status.PASS, component=group.pattern, values=values)


GAUGES = {
    "held": ("locking_held", "Locks held."),
    "waiting": ("locking_waiting", "Callers waiting for a lock."),
    "oldestHoldSeconds": ("locking_oldest_hold_seconds", "Age of the oldest hold."),
}


def probes() -> list[Probe]:
    return [Locks()]


def metrics(snapshot: Snapshot) -> Iterator[Metric]:
    parts = list(chain.from_iterable(check.result.parts for check in snapshot.of(Locks.name)))
    for value, (name, help_text) in GAUGES.items():
        family = GaugeMetricFamily(name, help_text, labels=["pattern"])
        for part in parts:
            family.add_metric([part.component], float(part.values[value] or 0))
        yield family


patterns = Bounded("locking", MOST_PATTERNS)


@lru_cache(4096)
def label(name: str) -> str:
    """Its rare series begin at nought: what is there at once did not increase."""
    found = patterns(pattern(name))
    LOST.labels(found)
    FORCED.labels(found)
    ACQUISITIONS.labels(found, DEADLOCK)
    return found


def connect() -> None:
    ledger.book = _book
    for signal, receive in (
        (signals.lock_lost, _lost),
        (signals.lock_forced, _forced),
        (signals.lock_deadlock, _deadlocked),
        (signals.lock_store_failed, _out_of_reach),
    ):
        signal.connect(receive, dispatch_uid="health")


def _book(entries: list[Entry]) -> None:
    grants: Counts[tuple[str, str]] = Counts()
    holds: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for name, waited, held_for in entries:
        kind = label(name)
        if held_for is not None:
            holds[kind, bisect_left(BUCKETS, held_for)].append(held_for)
            continue
        grants[kind, WAITED if waited else AT_ONCE] += 1
        if waited:
            WAIT.labels(kind).observe(waited)
    for labels, times in grants.items():
        ACQUISITIONS.labels(*labels).inc(times)
    for (kind, bucket), held in holds.items():
        HOLD.labels(kind).observe_many(bucket, len(held), sum(held))


def _lost(*, lease: Any, **_: Any) -> None:
    LOST.labels(label(lease.lock.label or lease.name)).inc()


def _forced(*, name: str, meta: Mapping[str, Any], **_: Any) -> None:
    FORCED.labels(label(HTTP if meta.get("via") == HTTP else name)).inc()


def _out_of_reach(**_: Any) -> None:
    checker.doubt(Locks.name)


def _deadlocked(*, name: str, **_: Any) -> None:
    ACQUISITIONS.labels(label(name), DEADLOCK).inc()
