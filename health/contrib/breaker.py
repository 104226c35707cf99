"""The circuits: an open one is a warning, because it is protection at work."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from breaker import control
from breaker.signals import circuit_changed
from breaker.status import CircuitStatus
from health import checker
from health.probes import Probe
from health.snapshot import Snapshot
from health.verdict import CheckResult, Reason, Status, worst

# Names may come from callers, so bodies and metrics show this many, what is not closed first.
SHOWN = 200
REASONS = {"open": Reason.OPEN, "forced_open": Reason.OPEN, "half_open": Reason.HALF_OPEN}
STATES = ("closed", "open", "half_open", "forced_open", "disabled", "metrics_only")


class Breakers(Probe):
    name = "breakers"
    source = "passive"
    # The process that moves a circuit says so at once; the others find out by looking.
    interval = 1.0

    def run(self) -> CheckResult:
        circuits = control.circuits()
        result = grouped(circuits)
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
    state = str(circuit.override or circuit.state)
    reason = REASONS.get(state)
    return CheckResult(
        Status.WARN if reason else Status.PASS,
        reason,
        component=circuit.name,
        retry_after=circuit.retry_after if reason else None,
        values={
            "state": state,
            "calls": circuit.calls,
            "failures": circuit.failures,
            "rejected": circuit.rejected,
        },
    )


def connect() -> None:
    circuit_changed.connect(_look_again, dispatch_uid="health")


def _look_again(**kwargs: Any) -> None:
    checker.wake(Breakers.name)


def probes() -> list[Probe]:
    return [Breakers()]


def metrics(snapshot: Snapshot) -> Iterator[Metric]:
    circuits = [part for check in snapshot.of(Breakers.name) for part in check.result.parts]
    yield _states(circuits)
    for value, help_text in (
        ("calls", "Calls in the window that decides, over all processes."),
        ("failures", "Failed calls in that window."),
    ):
        window = GaugeMetricFamily(f"breaker_window_{value}", help_text, labels=["breaker"])
        yield _filled(window, circuits, value)
    rejected = CounterMetricFamily("breaker_rejected", "Calls refused.", labels=["breaker"])
    yield _filled(rejected, circuits, "rejected")


def _states(circuits: list[CheckResult]) -> Metric:
    family = GaugeMetricFamily(
        "breaker_state", "1 for the state a circuit is in, else 0.", labels=["breaker", "state"]
    )
    for circuit in circuits:
        for state in STATES:
            family.add_metric([circuit.component, state], circuit.values["state"] == state)
    return family


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, circuits: list[CheckResult], value: str
) -> Metric:
    for circuit in circuits:
        family.add_metric([circuit.component], float(circuit.values[value] or 0))
    return family
