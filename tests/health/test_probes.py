import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.db import connection
from pytest_django.fixtures import Settings

from config.redis import caches
from health import Reason, Status
from health.probes import Cache, Database
from health.runner import observe
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


def test_a_silent_database_is_a_timeout_before_the_deadline(
    transactional_db: None, silent_port: int, point_database_at: Callable[[int], None]
) -> None:
    point_database_at(silent_port)
    observation = observe(Database("default"))
    assert observation.result.reason is Reason.TIMEOUT
    assert observation.seconds < Database.deadline


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


def test_a_paused_cache_is_a_timeout_before_the_deadline(
    settings: Settings, own_valkey: Valkey
) -> None:
    settings.CACHES = caches(own_valkey.url)
    own_valkey.pause()
    began = time.monotonic()
    assert observe(Cache("default")).result.reason is Reason.TIMEOUT
    assert time.monotonic() - began < Cache.deadline


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
        assert observe(Cache("default")).result.status is Status.FAIL


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


def test_the_key_names_the_node() -> None:
    with redis.Redis.from_url(valkey_url()) as client:
        client.execute_command("CLIENT", "TRACKING", "OFF")
        client.set(f"health:{socket.gethostname()}", "left over")
    assert Cache("default").run().status is Status.PASS
