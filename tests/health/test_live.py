"""The started product while its dependencies are really broken."""

import http.client
import os
import signal
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.faults.health.endurance import one_by_one, size, together
from tests.servers import valkey_url

from .conftest import eventually
from .servers import Site
from .test_metrics import Samples, samples

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


def test_a_hung_database_is_known_in_time_and_never_waited_for(
    serve: Serve, silent_env: dict[str, str]
) -> None:
    site = serve(silent_env)
    assert site.get("/health")[0] == 503  # starting, never a false 200
    eventually(lambda: b"starting" not in site.get("/health")[1])
    assert site.get("/health/database")[0] == 503
    together(site, 100)
    before = size(site)
    assert statistics.median(one_by_one(site, 300)) < 0.1
    assert len(together(site, 100)) == 100
    assert site.get("/health/live") == (200, b'{"status":"pass"}')
    assert site.get("/health", Host="10.1.2.3:8000")[0] == 503
    after = size(site)
    assert after.threads <= before.threads + Site.THREADS
    assert after.descriptors <= before.descriptors + 100


def test_counts_outlive_their_workers_and_nobody_invents_series(
    serve: Serve, process_env: dict[str, str], tmp_path: Path
) -> None:
    counters = tmp_path / "metrics"
    counters.mkdir()
    site = serve({**process_env, "PROMETHEUS_MULTIPROC_DIR": str(counters)}, workers=2)
    eventually(lambda: len(files(site, counters)) == 2)
    ask(site, 20)
    worker, file = files(site, counters).popitem()
    os.kill(worker, signal.SIGKILL)
    # The one that takes its place puts together what the dead counted.
    eventually(lambda: not file.exists())
    ask(site, 20)
    seen = scrape(site)
    ready = [
        value
        for (name, labels), value in seen.items()
        if name == "health_request_duration_seconds_count" and ("endpoint", "ready") in labels
    ]
    assert sum(ready) == 40
    assert seen["health_status", (("service", "database"), ("status", "pass"))] in (0, 1)

    invent(site, 1)
    before = requests_series(site)
    invent(site, 250)
    assert requests_series(site) == before


def ask(site: Site, times: int) -> None:
    site.await_live()
    for _ in range(times):
        assert site.get("/health/ready")[0] in (200, 503)


def files(site: Site, counters: Path) -> dict[int, Path]:
    """Where the living workers count."""
    paths = {pid: counters / f"counter_{pid}.db" for pid in site.workers()}
    return {pid: path for pid, path in paths.items() if path.exists()}


def scrape(site: Site) -> Samples:
    status, body = site.get("/metrics")
    assert status == 200
    return samples(body.decode())


def requests_series(site: Site) -> set[object]:
    return {key for key in scrape(site) if key[0].startswith(("django_http", "health_request"))}


def invent(site: Site, times: int) -> None:
    """Methods, paths, hosts and services that there never were."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    for _ in range(times):
        word = uuid4().hex
        for method, path, host in (
            (word.upper(), "/api/v1/locks", "localhost"),
            ("GET", f"/{word}/{word}", "localhost"),
            ("GET", "/api/schema", f"{word}.example"),
            ("GET", f"/health/{word}", f"{word}.example"),
        ):
            connection.request(method, path, headers={"Host": host})
            reply = connection.getresponse()
            assert reply.status < 500 and reply.read() is not None
    connection.close()
