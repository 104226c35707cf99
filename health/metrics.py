"""/metrics: counters of every process and the shared state of the snapshot, side by side.

Where the processes of a server share their counters, the default registry of prometheus_client
shows those of one process only. So each scrape builds a registry that has the sums, and adds the
state that belongs to no process.
"""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from . import contrib, counters
from .conf import conf
from .endpoints import answers
from .endpoints.answers import Answer, Environ
from .engine.leadership import Source
from .engine.snapshot import Snapshot
from .verdict import Status

CHECKS = Counter("health_checks", "Finished runs of a check.", ["service", "outcome"])
DURATION = Histogram(
    "health_check_duration_seconds",
    "How long a check ran.",
    ["service"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5),
)
ABANDONED = Counter("health_checks_abandoned", "Runs given up at their deadline.", ["service"])
TRANSITIONS = Counter("health_transitions", "Changes of the status shown.", ["service", "outcome"])
NOTIFICATIONS = Counter(
    "health_notifications", "Messages about alerts: delivered, failed.", ["channel", "outcome"]
)
# Set by the one process of a host that alerts, so of several the latest is right.
ALERTS = Gauge(
    "alert_state",
    "How many alerts stand there: pending, firing, resolved but not told to all.",
    ["alert", "state"],
    multiprocess_mode="livemostrecent",
)
REQUESTS = Histogram(
    "health_request_duration_seconds",
    "How long an answer of /health took.",
    ["endpoint", "code"],
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1),
)


def answer(snapshot: Snapshot, environ: Environ) -> Answer:
    """One scrape."""
    registry = CollectorRegistry()
    if directory := counters.directory():
        counters.tidy(directory)
        registry.register(counters.SharedCounters(directory))
        registry.register(SharedFiles(directory))
    else:
        registry.register(REGISTRY)
    registry.register(SharedState(snapshot))
    encode, media_type = choose_encoder(_form(environ.get("HTTP_ACCEPT", "")))
    vary = "Accept, Accept-Encoding, Authorization"
    plain = Answer(200, media_type, encode(registry), vary=vary)
    return answers.gzipped(plain, environ.get("HTTP_ACCEPT_ENCODING", ""))


def _form(accept: str) -> str:
    """What to ask the library for: it fails on versions that are no numbers."""
    for part in accept.split(","):
        match part.partition(";")[0].strip().lower():
            case "application/openmetrics-text" as openmetrics:
                return f"{openmetrics}; version=1.0.0"
            case "text/plain":
                break
    return ""


class SharedFiles:
    """Collector of how many files the counters are read from."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def collect(self) -> Iterator[Metric]:
        files = len(list(self.directory.glob("*.db")))
        yield GaugeMetricFamily("app_metric_files", "Files that hold counters.", value=files)


class SharedState:
    """Collector of what is the same in every process, so it must not be summed over them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        yield _build()
        yield _leader(self.snapshot)
        yield _status(self.snapshot)
        yield _critical(self.snapshot)
        yield _flapping(self.snapshot)
        yield from _times(self.snapshot)
        for contribution in contrib.installed():
            yield from contribution.metrics(self.snapshot)


def _build() -> Metric:
    build = GaugeMetricFamily("app_build_info", "The running release.", labels=["version"])
    build.add_metric([conf().release], 1)
    return build


def _status(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "health_status", "1 for the status shown, else 0.", labels=["service", "status"]
    )
    for name in snapshot.names:
        current = snapshot.status_of(name)
        for status in Status:
            family.add_metric([name, status], float(status is current))
    return family


def _critical(snapshot: Snapshot) -> Metric:
    text = "1 for a service without which no user may be sent here, else 0."
    family = GaugeMetricFamily("health_service_critical", text, labels=["service"])
    for name in snapshot.names:
        family.add_metric([name], float(any(check.critical for check in snapshot.of(name))))
    return family


def _flapping(snapshot: Snapshot) -> Metric:
    text = "1 for a service that comes and goes, else 0."
    family = GaugeMetricFamily("health_flapping", text, labels=["service"])
    for name in snapshot.names:
        family.add_metric([name], float(any(check.trail.flapping for check in snapshot.of(name))))
    return family


def _times(snapshot: Snapshot) -> Iterator[Metric]:
    runs = GaugeMetricFamily(
        "health_last_run_timestamp_seconds", "When a check last ended.", labels=["service"]
    )
    passes = GaugeMetricFamily(
        "health_last_success_timestamp_seconds", "When a check last passed.", labels=["service"]
    )
    for name in snapshot.names:
        checks = list(snapshot.of(name))
        for family, times in (
            (runs, [check.time for check in checks]),
            (passes, [check.last_success for check in checks]),
        ):
            known = [time.timestamp() for time in times if time]
            if known:
                family.add_metric([name], min(known))
    yield runs
    yield passes
    taken = snapshot.time.timestamp()
    yield GaugeMetricFamily("health_snapshot_timestamp_seconds", "Newest result.", value=taken)


def _leader(snapshot: Snapshot) -> Metric:
    """Of whichever process answers the scrape."""
    led = snapshot.source is not Source.SELF
    text = "1 while one process of the host probes for all, 0 while each has to look for itself."
    return GaugeMetricFamily("health_checker_leader", text, value=float(led))
