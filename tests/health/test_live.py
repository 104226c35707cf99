"""The started product while its dependencies are really broken."""

import os
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from accounts import sessions
from health.contrib.breaker import SHOWN
from tests.faults.health.counting import (
    SHOWN_OF,
    Workers,
    counted,
    crowded,
    invent,
    scrape,
    scrapes,
    settled,
    shown,
)
from tests.faults.health.endurance import one_by_one, size, together
from tests.servers import valkey_url

from .conftest import eventually
from .servers import Site

pytestmark = pytest.mark.live
Serve = Callable[..., Site]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    sites: list[Site] = []

    def start(env: dict[str, str], *, workers: int = 1, overlap: float = 3.5) -> Site:
        log = tmp_path / f"site-{len(sites)}.log"
        site = Site(env, log, workers=workers, overlap=overlap)
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


def test_counts_outlive_four_workers_and_nobody_invents_series(
    serve: Serve, process_env: dict[str, str], tmp_path: Path, operator: User
) -> None:
    directory = tmp_path / "metrics"
    directory.mkdir()
    ours = {
        "PROMETHEUS_MULTIPROC_DIR": str(directory),
        "DJANGO_SETTINGS_MODULE": "tests.health.brisk",
    }
    with crowded(SHOWN + 10):
        site = serve({**process_env, **ours}, workers=4, overlap=0.1)
        workers = Workers(site, directory)
        for upheaval in (workers.kill, workers.renew):
            workers.ask()
            upheaval()
        workers.ask()
        assert workers.sums() == workers.sums() == (workers.asked, workers.asked)

        token = sessions.start(operator).access
        invent(site, token, 1)
        before = settled(site)
        invent(site, token, 170)
        assert counted(scrape(site)) == before
        assert shown(scrape(site)) == SHOWN_OF
        # The quickest, for this machine has more to do than to answer us.
        assert scrapes(site, 20)[0] < 0.1
