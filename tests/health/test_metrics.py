import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from health import CheckResult, Reason, Status, contrib
from health.engine.checker import Checker
from health.engine.leadership import Source
from health.engine.snapshot import Snapshot
from health.metrics import answer
from health.middleware import AfterMiddleware

from .conftest import call
from .probes import FAIL, Fake

Run = Callable[..., Checker]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape() -> Samples:
    reply = call("/metrics", REMOTE_ADDR="127.0.0.1")
    assert reply.status == 200
    return samples(reply.body.decode())


@pytest.fixture(autouse=True)
def inside(settings: Settings) -> None:
    settings.HEALTH = {"RELEASE": "1.2.3", "ALLOWED_CIDRS": ["127.0.0.0/8"]}


def test_the_state_is_one_series_for_each_word(run: Run) -> None:
    run(Fake("database", critical=True), Fake("cache", lambda: FAIL))
    seen = scrape()
    words = {
        (labels[0][1], labels[1][1]): value
        for (name, labels), value in seen.items()
        if name == "health_status"
    }
    assert len(words) == 2 * len(Status)
    assert {key for key, value in words.items() if value == 1} == {
        ("database", "pass"),
        ("cache", "fail"),
    }
    assert seen["health_service_critical", (("service", "database"),)] == 1
    assert seen["health_service_critical", (("service", "cache"),)] == 0
    assert seen["health_flapping", (("service", "cache"),)] == 0
    assert seen["app_build_info", (("version", "1.2.3"),)] == 1


def test_times_are_timestamps_and_a_failure_has_no_success(run: Run) -> None:
    run(Fake("database", critical=True), Fake("cache", lambda: FAIL))
    seen = scrape()
    now = seen["health_snapshot_timestamp_seconds", ()]
    assert abs(seen["health_last_run_timestamp_seconds", (("service", "cache"),)] - now) < 5
    assert ("health_last_success_timestamp_seconds", (("service", "cache"),)) not in seen
    assert ("health_last_success_timestamp_seconds", (("service", "database"),)) in seen


# What is counted where it happens; the state that is shown comes from the snapshot.
COUNTED = {
    "health_checks": ("counter", "service outcome"),
    "health_check_duration_seconds": ("histogram", "service"),
    "health_checks_abandoned": ("counter", "service"),
    "health_transitions": ("counter", "service outcome"),
    "health_notifications": ("counter", "channel outcome"),
    "health_request_duration_seconds": ("histogram", "endpoint code"),
    "alert_state": ("gauge", "alert state"),
    "app_metric_series_dropped": ("counter", "metric"),
    "breaker_transitions": ("counter", "breaker from to"),
    "breaker_call_duration_seconds": ("histogram", "breaker outcome"),
    "locking_acquisitions": ("counter", "pattern outcome"),
    "locking_wait_seconds": ("histogram", "pattern"),
    "locking_hold_seconds": ("histogram", "pattern"),
    "locking_lost": ("counter", "pattern"),
    "locking_forced": ("counter", "pattern"),
    "accounts_login_attempts": ("counter", "outcome"),
    "accounts_lockouts": ("counter", "kind"),
    "accounts_token_refresh": ("counter", "outcome"),
    "accounts_sessions_ended": ("counter", "reason"),
    "accounts_signature_checks": ("counter", "outcome"),
    "accounts_signing_keys": ("counter", "change"),
}


def test_metrics_are_what_dashboards_know_them_as() -> None:
    """A name, a type or a label that changes breaks what others have built on it."""
    apps = ("health_", "alert_", "app_", "breaker_", "locking_", "accounts_")
    assert list(contrib.installed())
    found = {
        name: (metric._type, " ".join(metric._labelnames))
        for metric in list(REGISTRY._collector_to_names)
        if isinstance(metric, MetricWrapperBase) and (name := metric._name).startswith(apps)
    }
    assert found == COUNTED


def test_runs_are_counted_by_outcome(run: Run) -> None:
    run(Fake("metered", lambda: CheckResult(Status.WARN, Reason.OPEN), interval=60))
    seen = scrape()
    labels = (("outcome", "warn"), ("service", "metered"))
    assert seen["health_checks_total", labels] == 1
    assert seen["health_check_duration_seconds_count", (("service", "metered"),)] == 1


def test_requests_are_counted_by_endpoint_not_by_path(run: Run) -> None:
    run(Fake("cache"))
    for path in ("/health/made-up-1", "/health/made-up-2", "/health/cache"):
        call(path)
    text = call("/metrics", REMOTE_ADDR="127.0.0.1").body.decode()
    assert "made-up" not in text
    count = "health_request_duration_seconds_count"
    assert samples(text)[count, (("code", "404"), ("endpoint", "other"))] >= 2


@pytest.mark.parametrize(
    ("source", "led"), [(Source.LEADER, 1), (Source.HOST, 1), (Source.SELF, 0)]
)
def test_a_host_without_a_leader_shows(source: Source, led: float) -> None:
    alone = Snapshot(checks=(), taken=0, time=datetime.now(UTC), source=source)
    assert samples(answer(alone, {}).body.decode())["health_checker_leader", ()] == led


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/plain, application/openmetrics-text", "text/plain; version=0.0.4"),
        ("text/html,application/openmetrics-text;q=0.5", "application/openmetrics-text"),
        ("application/openmetrics-text;version=1.0.0,text/plain", "application/openmetrics-text"),
        ("Application/OpenMetrics-Text ; version=beta", "application/openmetrics-text"),
        ("text/plain;version=beta", "text/plain; version=0.0.4"),
        (";;,=,\xff/", "text/plain; version=0.0.4"),
    ],
)
def test_the_form_is_the_first_known_that_accept_names(
    run: Run, accept: str, expected: str
) -> None:
    run(Fake("cache"))
    reply = call("/metrics", REMOTE_ADDR="127.0.0.1", HTTP_ACCEPT=accept)
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith(expected)
    assert reply.body.endswith(b"# EOF\n") is expected.startswith("application")


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip; q=1.0", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("gzipped", False),
        (";q=,gzip;q=x", True),
    ],
)
def test_a_scrape_is_packed_for_those_who_take_it(run: Run, accepted: str, packed: bool) -> None:
    run(Fake("cache"))
    reply = call("/metrics", REMOTE_ADDR="127.0.0.1", HTTP_ACCEPT_ENCODING=accepted)
    assert reply.headers["Vary"] == "Accept, Accept-Encoding, Authorization"
    assert reply.headers["Content-Length"] == str(len(reply.body))
    assert ("Content-Encoding" in reply.headers) is packed
    text = gzip.decompress(reply.body) if packed else reply.body
    assert b"\nhealth_status{" in text


def test_invented_methods_add_no_series() -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")

    def request(method: str) -> None:
        AfterMiddleware(answer)(RequestFactory().generic(method, "/"))

    request("BREW0")
    before = len(series())
    for number in range(1, 50):
        request(f"BREW{number}")
    assert series() and len(series()) == before


def series() -> list[object]:
    return [sample for family in REGISTRY.collect() for sample in family.samples]


# A server whose workers end in every way, and one that is to be left alone.
SERVER = """
import os, signal
import django
from django.conf import settings
settings.configure()
django.setup()
from health import metrics
from health.engine.snapshot import Snapshot
from datetime import UTC, datetime

def work(times):
    "A process that counts so often, and then hangs."
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        for _ in range(times):
            metrics.CHECKS.labels("cache", "pass").inc()
            metrics.DURATION.labels("cache").observe(0.25)
        os.write(done, b"!")
        signal.pause()
    os.read(ready, 1)
    return pid

def end(pid, number):
    os.kill(pid, number)
    os.waitpid(pid, 0)

def scrape():
    return metrics.answer(Snapshot(checks=(), taken=0, time=datetime.now(UTC)), {}).body.decode()

workers = [work(times) for times in (1, 20, 300, 4000)]
for generation in range(5):
    end(workers.pop(0), signal.SIGTERM if generation % 2 else signal.SIGKILL)
    workers.append(work(2_000))
    scrape()
print(scrape())
for pid in workers:
    end(pid, signal.SIGKILL)
"""


def test_counters_of_all_processes_sum_beside_the_shared_state(tmp_path: Path) -> None:
    ours = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(settings.BASE_DIR)}
    env = {**os.environ, **ours}
    text = subprocess.check_output([sys.executable, "-c", SERVER], env=env, text=True, timeout=60)
    seen = samples(text)
    counted = 1 + 20 + 300 + 4000 + 5 * 2_000
    service = ("service", "cache")
    assert seen["health_checks_total", (("outcome", "pass"), service)] == counted
    assert seen["health_check_duration_seconds_count", (service,)] == counted
    assert seen["health_check_duration_seconds_sum", (service,)] == counted / 4
    assert seen["health_check_duration_seconds_bucket", (("le", "0.1"), service)] == 0
    assert seen["health_check_duration_seconds_bucket", (("le", "0.5"), service)] == counted
    assert any(name == "app_build_info" for name, _ in seen)
    # Of four processes and of the dead, for two kinds of metrics; their parent counts nothing.
    assert seen["app_metric_files", ()] == 2 * 5
