from dataclasses import replace
from typing import Any

import pytest
import redis
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django.fixtures import Settings

from breaker import configs, get_breaker
from breaker.doctor import Level, examine, judged
from breaker.facts import Facts, Rows
from breaker.link import link
from breaker.policy import Policy
from breaker.window import Tally
from config.redis import caches
from tests.servers import Cluster, Valkey

GOOD = Facts(
    info={
        "redis_version": "7.2.4",
        "server_name": "valkey",
        "valkey_version": "9.1.2",
        "role": "master",
        "maxmemory_policy": "noeviction",
        "maxmemory": 0,
    }
)


def told(**info: Any) -> Facts:
    return replace(GOOD, info={**GOOD.info, **info})


def bad(facts: Facts) -> list[tuple[str, str]]:
    return [(one.id[-3:], one.level) for one in judged(facts) if one.level is not Level.OK]


def levels() -> dict[str, str]:
    return {one.id[-3:]: one.level for one in examine()}


def test_a_good_store_has_only_good_findings() -> None:
    assert bad(GOOD) == []
    assert [one.id for one in judged(GOOD)] == [f"breaker.D{n:03}" for n in range(2, 12)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (told(redis_version="6.0.16", server_name="redis"), ("002", "error")),
        (told(redis_version="6.2.0"), None),
        (told(redis_version="10.0.1"), None),
        (told(role="slave"), ("003", "error")),
        (told(maxmemory_policy="allkeys-lru"), ("004", "warning")),
        (told(maxmemory_policy="volatile-ttl", maxmemory=9), ("004", "warning")),
        (replace(GOOD, sharing=("default",)), ("005", "warning")),
        (replace(GOOD, alias="default"), ("005", "warning")),
        (replace(GOOD, offset=-1.5), ("006", "warning")),
        (replace(GOOD, heard=None), ("007", "warning")),
        (replace(GOOD, heard=False), ("007", "warning")),
        (replace(GOOD, timeout=None), ("008", "warning")),
        (replace(GOOD, timeout=1.0), ("008", "warning")),
        (replace(GOOD, counts=False), ("009", "error")),
        (replace(GOOD, rows=Rows.UNWANTED), ("010", "warning")),
        (replace(GOOD, rows=Rows.UNMIGRATED), ("010", "error")),
        (replace(GOOD, rows=Rows.UNREADABLE), ("010", "error")),
        (replace(GOOD, unmatched=("vep:*",)), ("011", "warning")),
    ],
)
def test_each_fault_has_a_finding(facts: Facts, expected: tuple[str, str] | None) -> None:
    assert bad(facts) == ([expected] if expected else [])
    assert all(one.hint for one in judged(facts) if one.level is not Level.OK)


def test_what_the_server_keeps_to_itself_is_a_warning() -> None:
    assert bad(Facts()) == [("002", "warning"), ("004", "warning")]


@pytest.fixture
def product(settings: Settings, own_valkey: Valkey, db: None) -> Valkey:
    """The settings of the product, on a server of the test's own."""
    settings.CACHES = caches(own_valkey.url)
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
    return own_valkey


def test_the_product_is_to_the_doctors_liking(product: Valkey) -> None:
    assert set(levels().values()) == {Level.OK}
    assert len(levels()) == 11
    assert link.shared().catalogue.names() == []
    assert link.shared().client.keys() == []


def test_a_store_that_is_down_is_the_only_finding(product: Valkey) -> None:
    product.stop()
    assert levels() == {"001": "error"}


def test_a_cache_that_is_not_redis_is_the_only_finding(settings: Settings) -> None:
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {**settings.CACHES, "breaker": memory}
    (finding,) = examine()
    assert (finding.level, "not a django-redis" in finding.message) == ("error", True)


def test_a_cache_in_the_database_of_the_circuits_is_found(
    product: Valkey, settings: Settings
) -> None:
    shared = caches(product.url)
    shared["default"]["LOCATION"] = shared["breaker"]["LOCATION"]
    settings.CACHES = shared
    assert levels()["005"] is Level.WARNING


def test_a_user_without_rights_is_told_what_is_missing(product: Valkey, settings: Settings) -> None:
    admin = redis.Redis.from_url(product.url)
    admin.acl_setuser(
        "app", enabled=True, passwords=["+secret"], keys=["*"], reset_channels=True,
        commands=["+@all", "-@scripting", "-info"],
    )  # fmt: skip
    settings.CACHES = caches(product.url.replace("unix://", "unix://app:secret@"))
    found = levels()
    assert (found["002"], found["004"], found["007"]) == ("warning",) * 3
    assert found["009"] is Level.ERROR


def test_a_history_that_is_off_is_found(product: Valkey, settings: Settings) -> None:
    settings.BREAKER = {**settings.BREAKER, "HISTORY": False}
    assert levels()["010"] is Level.WARNING


@pytest.mark.parametrize("table", ["state", "config"])
def test_a_table_that_is_missing_is_found(product: Valkey, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE breaker_breaker{table} RENAME TO elsewhere")
    assert levels()["010"] is Level.ERROR


def test_a_database_that_was_not_migrated_to_the_end_is_found(product: Valkey) -> None:
    MigrationRecorder(connection).record_unapplied("breaker", "0002_commands_and_configuration")
    (finding,) = (one for one in examine() if one.level is Level.ERROR)
    assert finding.message == "The database is not migrated."
    assert "migrate" in finding.hint


def test_configurations_that_match_nothing_are_found(product: Valkey) -> None:
    get_breaker("here:in:code")
    link.shared().record("here:in:store", Policy(), Tally(ok=1), epoch=0)
    for pattern in ("here:in:c*", "here:in:s*", "here:in:v*"):
        configs.save(pattern, {"window": 30}, actor="ada")
    (finding,) = (one for one in examine() if one.level is Level.WARNING)
    assert finding.message == "No circuit has a name like 'here:in:v*'."


@pytest.mark.race
def test_a_cluster_is_fit_too(settings: Settings, db: None) -> None:
    cluster = Cluster()
    settings.CACHES = caches(cluster.url)
    found = levels()
    cluster.stop()
    assert Level.ERROR not in found.values()
    assert found["005"] is found["007"] is found["009"] is Level.OK
