"""What a database says besides that it answers."""

import copy
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from pytest_django.fixtures import Settings

from health import Reason, Status
from health.probes import Database
from health.probes.database import judged, pool_part
from health.verdict import CheckResult

from .conftest import eventually

ALIAS = "pooled"


@pytest.fixture
def pool(silent_port: int) -> Iterator[Any]:
    """One connection at most, in front of a database that never answers."""
    connections.settings[ALIAS] = {
        **copy.deepcopy(connections.settings["default"]),
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "CONN_MAX_AGE": 0,
        "HOST": "127.0.0.1",
        "PORT": str(silent_port),
        "OPTIONS": {"pool": {"min_size": 0, "max_size": 1}, "connect_timeout": 2},
    }
    pool: Any = connections[ALIAS].pool  # type: ignore[attr-defined]
    yield pool
    connections[ALIAS].close_pool()  # type: ignore[attr-defined]
    del connections[ALIAS], connections.settings[ALIAS]


def test_a_pool_that_nobody_uses_passes(pool: Any) -> None:
    part = Database(ALIAS).pool()
    assert part is not None
    assert (part.component, part.status) == ("pool", Status.PASS)
    assert (part.values["largest"], part.values["waiting"]) == (1, 0)


def test_a_pool_that_lets_somebody_wait_is_saturated(pool: Any) -> None:
    def wait() -> None:
        with suppress(psycopg.OperationalError):
            pool.getconn(timeout=60)

    pool.open()
    waiting = threading.Thread(target=wait)
    waiting.start()
    found: list[CheckResult | None] = []

    def full() -> bool:
        found.append(Database(ALIAS).pool())
        return (part := found[-1]) is not None and part.status is Status.WARN

    eventually(full)
    pool.close(timeout=0)
    waiting.join()
    assert (part := found[-1]) is not None
    assert (part.reason, part.values["waiting"]) == (Reason.SATURATED, 1)


def test_the_pool_of_a_database_is_a_part_of_it(transactional_db: None) -> None:
    parts = [part.component for part in Database("default").run().parts]
    assert parts == (["pool"] if connection.vendor == "postgresql" else [])


def test_a_server_that_only_reads_says_so(transactional_db: None, settings: Settings) -> None:
    """SQLite has no such servers."""
    reads = {"postgresql": {"options": "-c default_transaction_read_only=on"}, "sqlite": {}}
    given = settings.DATABASES["default"]["OPTIONS"]
    settings.DATABASES["default"]["OPTIONS"] = {**given, **reads[connection.vendor]}
    try:
        result = Database("default").run()
    finally:
        settings.DATABASES["default"]["OPTIONS"] = given
    assert result.values["readOnly"] is (connection.vendor == "postgresql")
    assert result.status is (Status.PASS if connection.vendor == "sqlite" else Status.WARN)


FULL = pool_part({"pool_size": 4, "pool_max": 4, "requests_waiting": 1})
ROOM = pool_part({"pool_size": 3, "pool_max": 4, "requests_waiting": 1})


@pytest.mark.parametrize(
    ("read_only", "written", "pool", "status", "reason"),
    [
        (False, True, None, Status.PASS, None),
        (False, True, ROOM, Status.PASS, None),
        (False, True, FULL, Status.WARN, Reason.SATURATED),
        (True, True, FULL, Status.WARN, Reason.READ_ONLY),
        (True, False, None, Status.PASS, None),
    ],
    ids=["all well", "a pool that grows", "a full pool", "the primary only reads", "a replica"],
)
def test_what_is_seen_decides(
    read_only: bool,
    written: bool,
    pool: CheckResult | None,
    status: Status,
    reason: Reason | None,
) -> None:
    result = judged(read_only=read_only, written=written, pool=pool)
    assert (result.status, result.reason) == (status, reason)
    assert result.values == {"readOnly": read_only}
