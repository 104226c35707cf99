"""The started product while its dependencies are really broken."""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.servers import Valkey, valkey_url

from .conftest import eventually
from .servers import Site

pytestmark = pytest.mark.live
Serve = Callable[..., Site]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    sites: list[Site] = []

    def start(env: dict[str, str], *, workers: int = 1) -> Site:
        site = Site(env, tmp_path / f"site-{len(sites)}.log", workers=workers)
        sites.append(site)
        site.await_live()
        return site

    yield start
    for site in sites:
        site.stop()


@pytest.fixture
def silent_env(silent_port: int) -> dict[str, str]:
    url = f"postgres://shop:hunter2@127.0.0.1:{silent_port}/shop"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": url,
        "REDIS_URL": valkey_url(),
    }


def timed(site: Site, path: str) -> tuple[float, int]:
    began = time.perf_counter()
    status, _ = site.get(path)
    return time.perf_counter() - began, status


def test_a_hung_database_is_known_in_time_and_never_waited_for(
    serve: Serve, silent_env: dict[str, str]
) -> None:
    site = serve(silent_env)
    assert site.get("/health")[0] == 503  # starting, never a false 200
    eventually(lambda: b"starting" not in site.get("/health")[1])
    assert site.get("/health/database")[0] == 503
    threads = site.threads()
    answers = [timed(site, "/health") for _ in range(300)]
    assert {status for _, status in answers} == {503}
    assert statistics.median(took for took, _ in answers) < 0.1
    assert site.get("/health/live") == (200, b'{"status":"pass"}')
    assert site.get("/health", Host="10.1.2.3:8000")[0] == 503
    assert site.threads() <= threads + Site.THREADS


def test_a_hundred_at_once_are_answered_while_the_database_hangs(
    serve: Serve, silent_env: dict[str, str]
) -> None:
    site = serve(silent_env)
    statuses: list[int] = []
    threads = [
        Thread(target=lambda: statuses.append(timed(site, "/health")[1])) for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [503] * 100


def test_a_dead_valkey_warns_and_its_return_is_noticed(
    serve: Serve, process_env: dict[str, str], own_valkey: Valkey
) -> None:
    brisk = {"DJANGO_SETTINGS_MODULE": "tests.health.brisk", "REDIS_URL": own_valkey.url}
    site = serve({**process_env, **brisk})

    def words() -> dict[str, str]:
        checks = json.loads(site.get("/health/detailed")[1])["checks"]
        return {name: rows[0]["status"] for name, rows in checks.items()}

    eventually(lambda: words()["cache"] == "pass")
    eventually(lambda: words()["locks"] == "pass")
    own_valkey.stop()
    eventually(lambda: words()["cache"] == words()["locks"] == "fail")
    status, body = site.get("/health")
    assert (status, json.loads(body)["status"]) == (200, "warn")
    assert words()["database"] == "pass"
    own_valkey.restart()
    eventually(lambda: words()["cache"] == words()["locks"] == "pass")


def test_counters_of_two_workers_sum(
    serve: Serve, process_env: dict[str, str], tmp_path: Path
) -> None:
    counters = tmp_path / "metrics"
    counters.mkdir()
    site = serve({**process_env, "PROMETHEUS_MULTIPROC_DIR": str(counters)}, workers=2)
    for _ in range(40):
        site.get("/health/ready")
    text = site.get("/metrics")[1].decode()
    lines = [line for line in text.splitlines() if "duration_seconds_count{" in line]
    ready = [line for line in lines if "health_request" in line and 'endpoint="ready"' in line]
    assert sum(float(line.rpartition(" ")[2]) for line in ready) == 40
    assert "health_status{" in text
