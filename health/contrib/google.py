"""Google's services as their callers find them. Never a call of our own: each one costs money."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from breaker.census import Census
from breaker.contrib.google.conf import conf
from breaker.signals import circuit_changed
from health import checker
from health.contrib.breaker import grouped
from health.probes import Probe
from health.snapshot import Snapshot
from health.verdict import CheckResult, Reason, Status

PREFIXES = {"google_imagen": "imagen:", "google_veo": "veo:", "google_vertex_ai": "vertex:"}


class Google(Probe):
    source = "passive"

    def __init__(self, name: str) -> None:
        self.name = name
        self._census = Census()

    def run(self) -> CheckResult:
        wanted = conf()
        if not (wanted.project or wanted.simulator_port):
            return CheckResult(Status.UNKNOWN, Reason.NOT_CONFIGURED)
        prefix = PREFIXES[self.name]
        circuits = self._census.circuits()
        return grouped(one for one in circuits if one.name.startswith(prefix))


def connect() -> None:
    circuit_changed.connect(_look_again, dispatch_uid="health.google")


def _look_again(**kwargs: object) -> None:
    checker.wake(*PREFIXES)


def probes() -> list[Probe]:
    return [Google(name) for name in PREFIXES]


def metrics(snapshot: Snapshot) -> Iterator[Metric]:
    """None of its own: health_status and breaker_state say it all."""
    return iter(())
