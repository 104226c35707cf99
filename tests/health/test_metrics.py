import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from health import CheckResult, Reason, Status
from health.checker import Checker
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
    assert seen["app_build_info", (("version", "1.2.3"),)] == 1


def test_times_are_timestamps_and_a_failure_has_no_success(run: Run) -> None:
    run(Fake("database", critical=True), Fake("cache", lambda: FAIL))
    seen = scrape()
    now = seen["health_snapshot_timestamp_seconds", ()]
    assert abs(seen["health_last_run_timestamp_seconds", (("service", "cache"),)] - now) < 5
    assert ("health_last_success_timestamp_seconds", (("service", "cache"),)) not in seen
    assert ("health_last_success_timestamp_seconds", (("service", "database"),)) in seen


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


def test_openmetrics_is_spoken_where_accept_asks_for_it(run: Run) -> None:
    run(Fake("cache"))
    accept = "application/openmetrics-text;version=1.0.0"
    reply = call("/metrics", REMOTE_ADDR="127.0.0.1", HTTP_ACCEPT=accept)
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
    assert reply.body.endswith(b"# EOF\n")


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


WORKER = """
import sys
import django
django.setup()
from health import metrics
for _ in range(int(sys.argv[1])):
    metrics.CHECKS.labels("cache", "pass").inc()
"""
SCRAPER = """
import django
django.setup()
from datetime import UTC, datetime
from health import metrics
from health.snapshot import Snapshot
snapshot = Snapshot(checks=(), taken=0, time=datetime.now(UTC))
print(metrics.exposition(snapshot, "")[0].decode())
"""


def test_counters_of_all_processes_sum_beside_the_shared_state(
    tmp_path: Path, process_env: dict[str, str]
) -> None:
    env = {**process_env, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)

    workers = [start(WORKER, "30"), start(WORKER, "12")]
    for worker in workers:
        worker.communicate(timeout=60)
        assert worker.returncode == 0
    text, _ = start(SCRAPER).communicate(timeout=60)
    seen = samples(text)
    assert seen["health_checks_total", (("outcome", "pass"), ("service", "cache"))] == 42
    assert any(name == "app_build_info" for name, _ in seen)
