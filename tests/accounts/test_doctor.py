import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.doctor import Finding, Level, examine, judged
from accounts.facts import Facts, Keys, Rows, Store
from accounts.keyring import Key, State
from accounts.models import LoginSession
from config.redis import caches
from tests.servers import Valkey

from .conftest import Json

STORE = Store(
    info={
        "redis_version": "7.2.4",
        "server_name": "valkey",
        "valkey_version": "9.1.2",
        "role": "master",
        "maxmemory_policy": "noeviction",
        "maxmemory": 0,
    }
)
GOOD = Facts(store=STORE, rows=Rows(), keys=Keys(states={State.CURRENT: 1}))


def told(**info: Any) -> Facts:
    return replace(GOOD, store=replace(STORE, info={**(STORE.info or {}), **info}))


def store(**facts: Any) -> Facts:
    return replace(GOOD, store=replace(STORE, **facts))


def rows(**facts: Any) -> Facts:
    return replace(GOOD, rows=Rows(**facts))


def keys(**facts: Any) -> Facts:
    return replace(GOOD, keys=Keys(**facts))


def bad(findings: Any) -> dict[str, str]:
    return {one.id[-3:]: one.level for one in findings if one.level is not Level.OK}


def test_good_facts_have_only_good_findings() -> None:
    assert bad(judged(GOOD)) == {}
    assert [one.id for one in judged(GOOD)] == [f"accounts.D{n:03}" for n in range(1, 15)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(GOOD, store="gone"), ("001", "warning")),
        (told(redis_version="6.0.16", server_name="redis"), ("002", "error")),
        (told(redis_version=""), ("002", "warning")),
        (told(role="slave"), ("003", "error")),
        (told(maxmemory_policy="allkeys-lru"), ("004", "warning")),
        (told(maxmemory_policy="volatile-ttl", maxmemory=9), ("004", "warning")),
        (store(sharing=("default",)), ("005", "warning")),
        (store(alias="default"), ("005", "warning")),
        (store(timeout=None), ("006", "warning")),
        (store(timeout=5.0), ("006", "warning")),
        (replace(GOOD, rows="no such table"), ("007", "error")),
        (rows(offset=-31.0), ("008", "error")),
        (rows(offset=1.5), ("008", "warning")),
        (rows(overdue=3), ("009", "warning")),
        (rows(astray=3), ("010", "warning")),
        (keys(derived=True), ("011", "warning")),
        (keys(endless=1), ("012", "warning")),
        (keys(over=1), ("012", "warning")),
        (keys(mode=0o640), ("014", "error")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_each_fault_has_a_finding_and_a_hint(facts: Facts, expected: tuple[str, str]) -> None:
    assert bad(judged(facts)) == dict([expected])
    assert all(one.hint for one in judged(facts) if one.level is not Level.OK)


@pytest.mark.parametrize(
    "facts", [keys(mode=0o600), keys(states={State.NEXT: 1}), rows(offset=0.5)], ids=repr
)
def test_what_is_as_it_should_be_is_no_fault(facts: Facts) -> None:
    assert bad(judged(facts)) == {}


def test_what_the_server_keeps_to_itself_is_a_warning() -> None:
    assert bad(judged(store(info=None))) == {"002": "warning", "004": "warning"}


@pytest.fixture
def product(settings: Settings, own_valkey: Valkey, db: None) -> Valkey:
    """The settings of the product, on a server of the test's own."""
    settings.CACHES = caches(own_valkey.url)
    return own_valkey


def levels() -> dict[str, Level]:
    return {one.id[-3:]: one.level for one in examine()}


def test_the_product_is_to_the_doctors_liking(product: Valkey) -> None:
    assert set(levels().values()) == {Level.OK}
    assert len(levels()) == 14


def test_a_store_that_is_down_is_the_only_finding_about_it(product: Valkey) -> None:
    product.stop()
    assert bad(examine()) == {"001": "warning"}
    assert len(levels()) == 9


def test_a_cache_that_is_not_redis_is_told(product: Valkey, settings: Settings) -> None:
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {**settings.CACHES, "accounts": memory}
    first = next(examine())
    assert (first.level, "not a django-redis" in first.message) == ("warning", True)


def test_a_cache_in_the_database_of_accounts_is_found(product: Valkey, settings: Settings) -> None:
    shared = caches(product.url)
    shared["default"]["LOCATION"] = shared["accounts"]["LOCATION"]
    settings.CACHES = shared
    assert levels()["005"] is Level.WARNING


def test_a_server_that_evicts_is_found(product: Valkey) -> None:
    product.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert levels()["004"] is Level.WARNING


def test_a_database_that_was_not_migrated_is_found(product: Valkey) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_refresh RENAME TO elsewhere")
    assert bad(examine()) == {"007": "error"}


def test_sessions_long_past_their_end_are_found(
    product: Valkey, sign_in: Callable[..., Json]
) -> None:
    sign_in()
    LoginSession.objects.update(expires_at=timezone.now() - timedelta(days=6))
    assert levels()["009"] is Level.OK
    LoginSession.objects.update(expires_at=timezone.now() - timedelta(days=8))
    assert levels()["009"] is Level.WARNING


@pytest.mark.parametrize("how", ["blacklisted in bulk", "deleted"])
def test_tables_of_simplejwt_that_disagree_are_found(
    product: Valkey, sign_in: Callable[..., Json], how: str
) -> None:
    sign_in()
    assert levels()["010"] is Level.OK
    if how == "deleted":
        OutstandingToken.objects.all().delete()
    else:
        BlacklistedToken.objects.bulk_create(
            [BlacklistedToken(token=OutstandingToken.objects.get())]
        )
    assert levels()["010"] is Level.WARNING


def test_keys_and_their_file_are_looked_at(
    product: Valkey, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "secrets.env"
    file.touch(mode=0o644)
    over = Key(b"r" * 32, State.RETIRED, timezone.now())
    settings.ACCOUNTS = {
        **settings.ACCOUNTS, "KEY_FILE": file, "SIGNING_KEYS": [Key(b"c" * 32), over],
    }  # fmt: skip
    assert bad(examine()) == {"012": "warning", "014": "error"}


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("accounts", "doctor", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tells_all_findings(product: Valkey) -> None:
    found: list[Finding] = json.loads(run("--json"))
    assert [one["id"] for one in found] == [one.id for one in examine()]
    product.stop()
    lines = run().splitlines()
    assert lines[0].startswith("warning accounts.D001  The store does not answer")
    assert lines[1].strip() == "Until then only the database knows what was revoked."


def test_the_command_fails_for_an_error(
    product: Valkey, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "secrets.env"
    file.touch(mode=0o644)
    settings.ACCOUNTS = {**settings.ACCOUNTS, "KEY_FILE": file}
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 1
