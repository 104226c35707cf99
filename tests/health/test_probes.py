import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django.fixtures import Settings

from config.redis import caches
from health import Reason, Status
from health.engine.runner import observe
from health.probes import Cache, Database, Disk, Migrations
from health.verdict import CheckResult
from tests.servers import Valkey, valkey_url


@pytest.fixture
def point_database_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the default alias a PostgreSQL on this port."""

    def point(port: int) -> None:
        database = {
            **connection.settings_dict,
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "shop",
            "USER": "shop",
            "PASSWORD": "hunter2",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "OPTIONS": {"pool": {"min_size": 1}},
        }
        monkeypatch.setitem(settings.DATABASES, "default", database)

    return point


def test_a_database_that_answers_passes(transactional_db: None) -> None:
    assert Database("default").run().status is Status.PASS


def test_the_probe_leaves_no_connection_behind(transactional_db: None) -> None:
    connection.close()
    Database("default").run()
    assert connection.connection is None


def test_a_silent_database_is_a_timeout(
    transactional_db: None, silent_port: int, point_database_at: Callable[[int], None]
) -> None:
    point_database_at(silent_port)
    observation = observe(Database("default"))
    assert observation.result.reason is Reason.TIMEOUT
    assert observation.seconds < 20  # libpq alone would take 130


def test_a_closed_database_is_refused(
    transactional_db: None, closed_port: int, point_database_at: Callable[[int], None]
) -> None:
    point_database_at(closed_port)
    assert observe(Database("default")).result.reason is Reason.REFUSED


def test_a_cache_that_writes_passes_and_keeps_nothing() -> None:
    assert Cache("default").run().status is Status.PASS
    with redis.Redis.from_url(valkey_url()) as client:
        assert client.dbsize() == 0


def test_a_dead_cache_is_refused(settings: Settings, own_valkey: Valkey) -> None:
    settings.CACHES = caches(own_valkey.url)
    own_valkey.stop()
    assert observe(Cache("default")).result.reason is Reason.REFUSED


def test_a_paused_cache_is_a_timeout(settings: Settings, own_valkey: Valkey) -> None:
    settings.CACHES = caches(own_valkey.url)
    own_valkey.pause()
    assert observe(Cache("default")).result.reason is Reason.TIMEOUT


def test_a_cache_that_may_not_write_fails_although_it_answers(
    settings: Settings, own_valkey: Valkey
) -> None:
    settings.CACHES = caches(own_valkey.url)
    with redis.Redis.from_url(own_valkey.url) as client:
        client.ping()
        client.config_set("maxmemory", "1")
        assert observe(Cache("default")).result.reason is Reason.SATURATED
        client.config_set("maxmemory", "0")
        client.replicaof("127.0.0.1", "1")
        assert observe(Cache("default")).result == CheckResult(Status.FAIL, Reason.READ_ONLY)


def test_a_cache_tells_what_it_uses_and_has_evicted() -> None:
    values = Cache("default").run().values
    assert values.keys() == {"usedMemoryBytes", "maxMemoryBytes", "evictedKeys"}
    assert float(values["usedMemoryBytes"] or 0) > 100_000


def test_a_user_who_may_not_ask_for_it_has_a_cache_all_the_same(
    settings: Settings, own_valkey: Valkey
) -> None:
    own_valkey.ask("ACL", "SETUSER", "default", "-info")
    settings.CACHES = caches(own_valkey.url)
    assert Cache("default").run() == CheckResult(Status.PASS)


@pytest.mark.parametrize(
    "location", ["{url}", "{url},unix:///nowhere", ["{url}", "unix:///nowhere"]]
)
def test_the_primary_is_the_first_location(settings: Settings, location: Any) -> None:
    url = caches(valkey_url())["default"]["LOCATION"]
    shape = (
        location.format(url=url)
        if isinstance(location, str)
        else [one.format(url=url) for one in location]
    )
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": shape}}
    assert Cache("default").run().status is Status.PASS


@pytest.mark.parametrize("silent", ["unix://{}", "redis+sentinel://{}/main/0"])
def test_nobody_is_asked_twice(settings: Settings, own_valkey: Valkey, silent: str) -> None:
    """With the retries of redis-py or of its Sentinel this would take five seconds."""
    listening = socket.create_server(("127.0.0.1", 0))
    own_valkey.pause()
    address = own_valkey.socket if "unix" in silent else f"127.0.0.1:{listening.getsockname()[1]}"
    settings.CACHES = caches(silent.format(address))
    with listening:
        observation = observe(Cache("default"))
    assert observation.result.status is Status.FAIL
    assert observation.seconds < 3


@pytest.mark.race
def test_probes_of_several_processes_leave_each_other_alone() -> None:
    def look(_: int) -> CheckResult:
        return observe(Cache("default")).result

    with ThreadPoolExecutor(4) as pool:
        assert Reason.ERROR not in {result.reason for result in pool.map(look, range(60))}


def test_applied_migrations_pass_and_are_not_looked_at_again(
    transactional_db: None,
) -> None:
    probe = Migrations()
    assert probe.run() == CheckResult(Status.PASS, values={"unapplied": 0})
    MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
    try:
        assert probe.run().status is Status.PASS
        assert Migrations().run().status is Status.WARN
    finally:
        MigrationRecorder(connection).record_applied("sessions", "0001_initial")


def test_unapplied_migrations_warn_until_they_are_applied(transactional_db: None) -> None:
    probe = Migrations()
    MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
    try:
        result = probe.run()
    finally:
        MigrationRecorder(connection).record_applied("sessions", "0001_initial")
    assert (result.status, result.reason) == (Status.WARN, Reason.UNAPPLIED)
    assert result.values == {"unapplied": 1}
    assert probe.run().status is Status.PASS


def test_a_disk_with_room_passes(tmp_path: Path) -> None:
    class Roomy(Disk):
        WARN_BYTES = FAIL_BYTES = 0

    result = Roomy(tmp_path).run()
    assert result.status is Status.PASS
    assert 0 < float(result.values["freeBytes"] or 0) < float(result.values["totalBytes"] or 0)


@pytest.mark.parametrize(
    ("free", "read_only", "expected"),
    [
        (Disk.WARN_BYTES, False, (Status.PASS, None)),
        (Disk.WARN_BYTES - 1, False, (Status.WARN, Reason.SATURATED)),
        (Disk.FAIL_BYTES - 1, False, (Status.FAIL, Reason.SATURATED)),
        (Disk.WARN_BYTES, True, (Status.FAIL, Reason.READ_ONLY)),
    ],
)
def test_what_is_left_of_a_disk_decides(
    free: int, read_only: bool, expected: tuple[Status, Reason | None]
) -> None:
    assert Disk("/").judge(free, read_only=read_only) == expected


def test_a_directory_that_is_not_there_fails(tmp_path: Path) -> None:
    assert observe(Disk(tmp_path / "nowhere")).result.status is Status.FAIL
