"""Does the lock store grant locks, and how many are held."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from health.probes import Probe
from health.snapshot import Snapshot
from health.verdict import CheckResult, Status
from locking import control


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
        return CheckResult(Status.PASS, values=values)


METRICS = {
    "held": ("locking_held", "Locks held."),
    "waiting": ("locking_waiting", "Callers waiting for a lock."),
    "oldestHoldSeconds": ("locking_oldest_hold_seconds", "Age of the oldest hold, 0 for none."),
}


def connect() -> None:
    """Locks tell nobody when their store fails; the interval has to do."""


def probes() -> list[Probe]:
    return [Locks()]


def metrics(snapshot: Snapshot) -> Iterator[Metric]:
    for check in snapshot.of(Locks.name):
        for value, (name, help_text) in METRICS.items():
            if value in check.result.values:
                number = float(check.result.values[value] or 0)
                yield GaugeMetricFamily(name, help_text, value=number)
