"""The database decides; what ended is told to the store for when the database is away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django_redis import get_redis_connection
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from accounts import errors, revocation, sessions
from accounts.models import LoginSession
from config.redis import caches
from tests.servers import Valkey

from .conftest import Call, Json
from .test_authentication import authenticate

pytestmark = pytest.mark.django_db


@pytest.fixture
def after_commits(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> Callable[[], Any]:
    """What a test calls within its transaction happens as after a commit."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def store(own_valkey: Valkey, settings: Settings) -> Valkey:
    settings.CACHES = caches(own_valkey.url)
    return own_valkey


@contextmanager
def no_database() -> Iterator[None]:
    def down(*_: Any) -> None:
        raise OperationalError("the server closed the connection")

    with connection.execute_wrapper(down):
        yield


def code(call: Call, pair: Json) -> tuple[int, str]:
    answer = call("GET", "me", access=pair["access"])
    return answer.status_code, answer.json().get("code", "")


def test_a_request_asks_the_database_once_and_the_store_not_at_all(
    store: Valkey, pair: Json, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    before = get_redis_connection("accounts").info("commandstats")
    with django_assert_num_queries(1):
        assert authenticate(f"Bearer {pair['access']}") is not None
    after = get_redis_connection("accounts").info("commandstats")
    assert set(after) - set(before) <= {"cmdstat_info"}


def test_without_the_store_what_is_revoked_is_refused_and_what_lives_is_not(
    store: Valkey, sign_in: Callable[..., Json], call: Call, after_commits: Callable[[], Any]
) -> None:
    early, late, living = sign_in(), sign_in(), sign_in()
    with after_commits():
        call("POST", "logout", access=early["access"])
    store.stop()
    with after_commits():
        assert call("POST", "logout", access=late["access"]).status_code == 204
    for pair in (early, late):
        assert code(call, pair) == (401, "token_revoked")
    assert code(call, living) == (200, "")
    store.restart()
    for pair in (early, late):
        assert code(call, pair) == (401, "token_revoked")
    assert code(call, living) == (200, "")


def test_a_revocation_that_was_rolled_back_is_told_to_nobody(pair: Json) -> None:
    sessions.end(LoginSession.objects.all(), reason="never committed")
    assert not revocation.has_ended(pair["session"])


@pytest.fixture
def ended(pair: Json, call: Call, after_commits: Callable[[], Any]) -> Json:
    with after_commits():
        call("POST", "logout", access=pair["access"])
    return pair


def test_without_the_database_what_ended_is_still_refused(
    ended: Json, sign_in: Callable[..., Json], call: Call
) -> None:
    living = sign_in()
    with no_database():
        assert code(call, ended) == (401, "token_revoked")
        answer = call("GET", "me", access=living["access"])
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("cache", ["dead", "memory"])
def test_without_both_nobody_knows(
    store: Valkey, settings: Settings, ended: Json, call: Call, cache: str
) -> None:
    if cache == "dead":
        store.stop()
    else:
        memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
        settings.CACHES = {**settings.CACHES, "accounts": memory}
    with no_database():
        assert code(call, ended) == (503, "database_unavailable")


def test_the_store_forgets_when_the_last_access_token_has_expired(
    store: Valkey, ended: Json
) -> None:
    client = get_redis_connection("accounts")
    (key,) = client.keys("*ended*")
    assert 3600 < client.ttl(key) <= 3630


def test_an_end_that_could_not_be_told_is_logged(
    store: Valkey, pair: Json, after_commits: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    store.stop()
    with after_commits():
        sessions.end(LoginSession.objects.all(), reason="x")
    assert "the end of 1 sessions is in the database only" in caplog.text
    with pytest.raises(errors.TokenRevoked):
        authenticate(f"Bearer {pair['access']}")
