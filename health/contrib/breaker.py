"""The circuits: an open one is a warning, because it is protection at work."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from breaker import control
from breaker.census import Census
from breaker.change import Change
from breaker.signals import circuit_changed
from breaker.status import WORDS, CircuitStatus
from health import checker
from health.engine.snapshot import Snapshot
from health.labels import Bounded
from health.probes import Probe
from health.verdict import CheckResult, Reason, Status, worst

# Names may come from callers, so bodies and metrics show this many, what is not closed first.
SHOWN = 200
REASONS = {"open": Reason.OPEN, "forced_open": Reason.OPEN, "half_open": Reason.HALF_OPEN}
# What a part tells, and the series it makes; none where it tells nothing.
GAUGES = {
    "calls": ("breaker_window_calls", "Calls in the window that decides, of the whole fleet."),
    "failures": ("breaker_window_failures", "Failed calls in that window."),
    "slow": ("breaker_window_slow", "Slow calls in that window."),
    "epoch": ("breaker_epoch", "Rises with each transition."),
    "openedAt": ("breaker_opened_timestamp_seconds", "When the outage began."),
    "openUntil": ("breaker_open_until_timestamp_seconds", "When a trial may begin."),
}
OUTCOMES = {
    "ok": "totalOk", "failure": "totalFailed", "throttled": "totalThrottled", "slow": "totalSlow",
    "rejected": "rejected",
}  # fmt: skip
TRANSITIONS = Counter("breaker_transitions", "Changes of state.", ["breaker", "from", "to"])
label = Bounded("breaker", SHOWN)


class Breakers(Probe):
    name = "breakers"
    source = "passive"
    # The process that moves a circuit says so at once; the others find out by looking.
    interval = 1.0
    # Ten thousand circuits take a second, every ten seconds.
    deadline = 3.0

    def __init__(self) -> None:
        self._census = Census()

    def run(self) -> CheckResult:
        result = grouped(self._census.circuits())
        if control.shared():
            return result
        # The store is gone and each process protects itself alone.
        values = {**result.values, "circuitSource": "local"}
        return replace(
            result, status=Status.WARN, reason=result.reason or Reason.REFUSED, values=values
        )


def grouped(circuits: Iterable[CircuitStatus]) -> CheckResult:
    """The worst of many circuits, and each of them as a part."""
    parts = sorted(map(_part, circuits), key=lambda one: (one.status is Status.PASS, one.component))
    first = parts[0] if parts else CheckResult(Status.PASS)
    return CheckResult(
        worst([Status.PASS, *(one.status for one in parts)]),
        first.reason,
        retry_after=first.retry_after,
        values={"circuits": len(parts)},
        parts=tuple(parts[:SHOWN]),
    )


def _part(circuit: CircuitStatus) -> CheckResult:
    reason = REASONS.get(circuit.word)
    return CheckResult(
        Status.WARN if reason else Status.PASS,
        reason,
        component=circuit.name,
        retry_after=circuit.retry_after if reason else None,
        values={
            "state": circuit.word,
            "calls": circuit.calls,
            "failures": circuit.failures,
            "slow": circuit.slow,
            "rejected": circuit.rejected,
            "epoch": circuit.epoch,
            "openedAt": circuit.opened_at.timestamp() if circuit.opened_at else None,
            "openUntil": circuit.open_until.timestamp() if circuit.open_until else None,
            "totalOk": circuit.totals.ok,
            "totalFailed": circuit.totals.failed,
            "totalThrottled": circuit.totals.throttled,
            "totalSlow": circuit.totals.slow,
        },
    )


def connect() -> None:
    circuit_changed.connect(_changed, dispatch_uid="health")


def _changed(*, change: Change, **_: Any) -> None:
    TRANSITIONS.labels(label(change.name), change.from_state, change.to_state).inc()
    checker.wake(Breakers.name)


def probes() -> list[Probe]:
    return [Breakers()]


def metrics(snapshot: Snapshot) -> Iterator[Metric]:
    """The same in every process of the fleet: take the maximum of them, not the sum."""
    results = [check.result for check in snapshot.of(Breakers.name)]
    circuits = [part for result in results for part in result.parts]
    known = sum(float(result.values.get("circuits") or 0) for result in results)
    yield GaugeMetricFamily(
        "breaker_hidden", "Circuits without series, as there are so many.", known - len(circuits)
    )
    yield _states(circuits)
    yield _calls(circuits)
    for value, (name, help_text) in GAUGES.items():
        yield _gauge(GaugeMetricFamily(name, help_text, labels=["breaker"]), circuits, value)


def _states(circuits: list[CheckResult]) -> Metric:
    family = GaugeMetricFamily(
        "breaker_state", "1 for the state a circuit is in, else 0.", labels=["breaker", "state"]
    )
    for circuit in circuits:
        for word in WORDS:
            family.add_metric([circuit.component, word], circuit.values["state"] == word)
    return family


def _calls(circuits: list[CheckResult]) -> Metric:
    family = CounterMetricFamily(
        "breaker_calls",
        "Calls by how they ended; those rejected never began.",
        labels=["breaker", "outcome"],
    )
    for circuit in circuits:
        for outcome, value in OUTCOMES.items():
            family.add_metric([circuit.component, outcome], float(circuit.values[value] or 0))
    return family


def _gauge(family: GaugeMetricFamily, circuits: list[CheckResult], value: str) -> Metric:
    for circuit in circuits:
        if (number := circuit.values[value]) is not None:
            family.add_metric([circuit.component], float(number))
    return family
