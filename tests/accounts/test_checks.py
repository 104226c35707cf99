from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.db import connection
from pytest_django import Settings

from accounts.checks import check_settings
from accounts.keyring import Key, State
from accounts.login_checks import check_backends, check_database
from accounts.store_checks import check_cache, check_transactions

from .conftest import Json

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"


def found(messages: list[CheckMessage]) -> list[tuple[str | None, str]]:
    return [(message.id, message.msg) for message in messages]


def test_the_settings_of_the_project_are_right() -> None:
    assert check_settings() == []


def test_a_misspelt_key_is_an_error_that_names_it(settings: Settings) -> None:
    settings.ACCOUNTS = {"PEPER": b"x"}
    assert found(check_settings()) == [("accounts.E001", "ACCOUNTS has no setting 'PEPER'.")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHE", "nowhere"),
        ("SIGNING_KEYS", b"x" * 32),
        ("SIGNING_KEYS", [b"short"]),
        ("SIGNING_KEYS", ["x" * 32]),
        ("SIGNING_KEYS", 7),
        ("SIGNING_KEYS", [b"x" * 32, b"x" * 32]),
        ("SIGNING_KEYS", [Key(b"x" * 32, State.NEXT)]),
        ("SIGNING_KEYS", [Key(b"x" * 31)]),
        ("ALGORITHM", "ES256"),
        ("KEY_FILE", "secrets.env"),
        ("ENCRYPTION_KEYS", 7),
        ("PEPPER", b"short"),
        ("PEPPER", "x" * 32),
        ("ISSUER", ""),
        ("AUDIENCE", None),
        ("ACCESS_LIFETIME", 0),
        ("ACCESS_LIFETIME", "3600"),
        ("ACCESS_LIFETIME", True),
        ("REFRESH_LIFETIME", -1),
        ("REFRESH_OVERLAP", 61),
        ("REFRESH_GRACE", 61),
        ("REFRESH_GRACE", "1"),
        ("MAX_SESSIONS", 0),
        ("MAX_SESSIONS", 2.0),
        ("LOCKOUT_TRIES", 0),
        ("LOCKOUT_SECONDS", 0.5),
        ("LOCKOUT_LONGEST", 60),
        ("LOCKOUT_QUIET", 0),
        ("DEVICE_LIFETIME", -1),
        ("LOGIN_RATE", 19),
        ("FAILURE_RATE", 19),
        ("PARALLEL_HASHES", 0),
        ("AUDIT_DAYS", True),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_key(
    settings: Settings, name: str, value: Any
) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, name: value}
    (message,) = check_settings()
    assert message.id == "accounts.E002"
    assert repr(name) in message.msg


def test_derived_keys_are_a_warning_each(settings: Settings) -> None:
    settings.ACCOUNTS = {}
    assert [message.id for message in check_settings()] == [
        "accounts.W001",
        "accounts.W002",
        "accounts.W004",
    ]


def test_deferred_sqlite_transactions_are_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(check_transactions()) == []
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
    expected = ["accounts.W003"] if connection.vendor == "sqlite" else []
    assert [message.id for message in check_transactions()] == expected


@pytest.mark.parametrize(("level", "expected"), [(2, []), (3, ["accounts.W008"])])
def test_a_stricter_isolation_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, level: int, expected: list[str]
) -> None:
    monkeypatch.setattr(connection, "vendor", "postgresql")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"isolation_level": level})
    assert [message.id for message in check_transactions()] == expected


@pytest.mark.parametrize(
    ("secret", "right"),
    [(b"s" * 32, True), (b"s" * 64, True), (b"s" * 31, False), (b"p" * 32, False), (None, False)],
)
def test_a_shared_secret_is_long_and_serves_nothing_else(
    settings: Settings, secret: bytes | None, right: bool
) -> None:
    keys = [secret] if secret else []
    settings.ACCOUNTS = {
        **settings.ACCOUNTS, "ALGORITHM": "HS256", "SIGNING_KEYS": keys, "PEPPER": b"p" * 32,
    }  # fmt: skip
    wrong = [message.msg for message in check_settings() if message.id == "accounts.E002"]
    assert bool(wrong) is not right


def test_the_cache_of_the_project_is_right() -> None:
    assert check_cache() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"OPTIONS": {"IGNORE_EXCEPTIONS": True}}, ["accounts.E004"], id="swallows"),
        pytest.param({"LOCATION": "redis://shared"}, ["accounts.W005"], id="shared"),
        pytest.param({"BACKEND": LOCMEM}, ["accounts.W004"], id="no redis"),
    ],
)
def test_a_cache_that_cannot_be_relied_on_is_told(
    settings: Settings, change: Json, expected: list[str]
) -> None:
    shared = {**settings.CACHES["default"], "LOCATION": "redis://shared"}
    own = {**settings.CACHES["accounts"], **change}
    settings.CACHES = {**settings.CACHES, "default": shared, "accounts": own}
    assert [message.id for message in check_cache()] == expected


def test_errors_swallowed_by_all_caches_are_told_too(settings: Settings) -> None:
    settings.DJANGO_REDIS_IGNORE_EXCEPTIONS = True
    assert [message.id for message in check_cache()] == ["accounts.E004"]


def test_the_default_cache_is_no_place_for_what_was_revoked(settings: Settings) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "CACHE": "default"}
    assert [message.id for message in check_cache()] == ["accounts.W005"]


@pytest.mark.parametrize(
    ("backends", "warned"),
    [
        (["accounts.login.LockoutBackend"], []),
        (["tests.accounts.test_login.ByMail"], []),
        (["django.contrib.auth.backends.ModelBackend"], ["accounts.W006"]),
        (
            ["django.contrib.auth.backends.ModelBackend", "accounts.login.LockoutBackend"],
            ["accounts.W006"],
        ),
        ([], ["accounts.W006"]),
    ],
    ids=["ours", "one made of ours", "another", "another first", "none"],
)
def test_passwords_that_nothing_guards_are_warned_of(
    settings: Settings, backends: list[str], warned: list[str]
) -> None:
    settings.AUTHENTICATION_BACKENDS = backends
    assert [message.id for message in check_backends()] == warned


def test_transactions_around_password_checks_are_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert list(check_database()) == []
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    expected = ["accounts.W007"] if connection.vendor == "sqlite" else []
    assert [message.id for message in check_database()] == expected


def test_a_database_that_cannot_count_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "mysql")
    assert [message.id for message in check_database()] == ["accounts.E005"]
