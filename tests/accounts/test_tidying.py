"""What is past its end goes by itself, a little at a time."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import nonces, sessions, signing_keys, tidying
from accounts.models import (
    AuthEvent,
    Dimension,
    EventKind,
    LoginGuard,
    LoginSession,
    RateWindow,
    Refresh,
    SigningKey,
    SpentNonce,
)

from .conftest import PASSWORD, Call, Json
from .test_races import together

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(days=1_000)


def refresh(call: Call, token: str) -> Any:
    answer = call("POST", "token/refresh", {"refresh": token})
    assert answer.status_code == 200
    return answer.json()["refresh"]


@pytest.fixture
def ended(sign_in: Callable[..., Json], call: Call) -> None:
    """A session past its end, which was refreshed three times."""
    token = sign_in()["refresh"]
    for _ in range(3):
        token = refresh(call, token)
    LoginSession.objects.update(expires_at=LONG_AGO)


def left() -> dict[str, int]:
    tables = LoginSession, Refresh, OutstandingToken, BlacklistedToken
    return {table.__name__: table._base_manager.count() for table in tables}


NOTHING = dict.fromkeys(("LoginSession", "Refresh", "OutstandingToken", "BlacklistedToken"), 0)


def test_who_signs_in_takes_away_what_is_past_its_end(
    ended: None, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "EVERY", 1)
    answer = call("POST", "token", {"username": "ada", "password": PASSWORD})
    assert left() == {**NOTHING, "LoginSession": 1, "Refresh": 1, "OutstandingToken": 1}
    assert call("GET", "me", access=answer.json()["access"]).status_code == 200


def test_so_does_a_refresh(
    ended: None, user: User, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = sessions.start(user)
    monkeypatch.setattr(tidying, "EVERY", 1)
    refresh(call, pair.refresh)
    assert LoginSession.objects.get().pk == pair.session
    assert Refresh.objects.count() == 2


def test_a_session_goes_when_its_last_row_is_gone(
    ended: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "TAKEN", 3)
    assert tidying.a_little(now=timezone.now())["refresh_tokens"] == 3
    assert LoginSession.objects.count() == Refresh.objects.count() == 1
    tidying.a_little(now=timezone.now())
    assert left() == NOTHING


def guard(**values: Any) -> LoginGuard:
    digest = secrets.token_hex(32)
    states = {"failed": 1, "pending": 0, "level": 0, "generation": 0, "hard": False}
    given = {**states, "touched_at": LONG_AGO, **values}
    return LoginGuard.objects.create(dimension=Dimension.ACCOUNT, digest=digest, **given)


def test_each_kind_is_forgotten_and_what_counts_is_kept(user: User) -> None:
    now = timezone.now()
    hard, gone = guard(hard=True), guard()
    window = {"number": 1, "current": 1, "previous": 0}
    RateWindow.objects.create(digest="old", expires_at=LONG_AGO, **window)
    RateWindow.objects.create(digest="new", expires_at=now, **window)
    AuthEvent.objects.create(at=LONG_AGO, kind=EventKind.FAILED)
    assert nonces.spend("key", "first", now=now - nonces.KEPT)
    assert nonces.spend("key", "second", now=now)
    keys = [signing_keys.issue(user, name=name, now=now).key for name in ("dead", "fresh", "alive")]
    for key, moment in zip(keys, (LONG_AGO, now), strict=False):
        chosen = SigningKey.objects.filter(pk=key.pk)
        signing_keys.revoke(chosen, actor="somebody", now=moment)
    assert +tidying.everything(now=now) == {
        "login_guards": 1, "rate_windows": 1, "events": 1, "nonces": 1, "signing_keys": 1,
    }  # fmt: skip
    assert list(LoginGuard.objects.all()) == [hard] != [gone]
    assert RateWindow.objects.get().pk == "new"
    assert not AuthEvent.objects.filter(at=LONG_AGO).exists()
    assert SpentNonce.objects.count() == 1
    assert {key.name for key in SigningKey.objects.all()} == {"fresh", "alive"}


def test_it_never_fails_who_signs_in(
    sign_in: Callable[..., Json], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def busy(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("DELETE"):
            raise OperationalError("too busy")
        return execute(sql, *rest)

    sign_in()
    LoginSession.objects.update(expires_at=LONG_AGO)
    monkeypatch.setattr(tidying, "EVERY", 1)
    with connection.execute_wrapper(busy):
        assert sign_in()["access"]
    assert "too busy" in caplog.text


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_many_at_once_neither_wait_nor_fail(user: User) -> None:
    for _ in range(40):
        sessions.start(user)
    LoginSession.objects.update(expires_at=LONG_AGO)
    now = timezone.now()
    together(*[lambda: tidying.a_little(now=now)] * 6)
    tidying.everything(now=now)
    assert left() == NOTHING
