"""Signing in and changing the password, over the API."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts import credentials, errors, sessions, signals
from accounts.models import LoginSession, Refresh

from .conftest import PASSWORD, Call, Json

pytestmark = pytest.mark.django_db


def test_a_login_answers_with_a_pair_and_a_session(pair: Json) -> None:
    session = LoginSession.objects.get()
    assert pair.keys() == {
        "access", "refresh", "access_expires_at", "refresh_expires_at", "session", "device_token",
    }  # fmt: skip
    assert pair["session"] == session.pk
    assert (session.address, session.device) == ("127.0.0.0/24", "")


def test_the_device_is_kept(sign_in: Callable[..., Json]) -> None:
    sign_in(device="Ada's laptop")
    assert LoginSession.objects.get().device == "Ada's laptop"


def test_wrong_unknown_and_inactive_get_one_answer(user: User, call: Call) -> None:
    User.objects.create_user("off", password=PASSWORD, is_active=False)
    User.objects.create_user("unusable")
    attempts = [("ada", "wrong"), ("nobody", PASSWORD), ("off", PASSWORD), ("unusable", PASSWORD)]
    answers = [call("POST", "token", {"username": u, "password": p}) for u, p in attempts]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == "invalid_credentials"
    assert answers[0].headers["WWW-Authenticate"].startswith("Bearer")
    assert not LoginSession.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": PASSWORD}, "username"),
        ({"username": "ada"}, "password"),
        ({"username": 7, "password": PASSWORD}, "username"),
        ({"username": ["ada"], "password": PASSWORD}, "username"),
        ({"username": "ada", "password": 12345}, "password"),
        ({"username": "ada", "password": True}, "password"),
        ({"username": "ada", "password": None}, "password"),
        ({"username": "ada", "password": {"a": 1}}, "password"),
        ({"username": "ada", "password": "x" * 1025}, "password"),
        ({"username": "a" * 255, "password": PASSWORD}, "username"),
        ({"username": "a\0b", "password": PASSWORD}, "username"),
        ({"username": "ada", "password": PASSWORD, "device": "x" * 101}, "device"),
        ({"username": "ada", "password": PASSWORD, "admin": True}, "admin"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_bad_input_is_refused_by_field_before_any_lookup(
    call: Call, body: Any, field: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        answer = call("POST", "token", body)
    assert answer.status_code == 400
    assert field in {error["field"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(
    "body", ["[]", '"x"', "7", "null", "{", "", '{"username": "ada", "password": "\\ud800"}']
)
def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    answer = Client().post("/api/v1/auth/token", data=body, content_type="application/json")
    assert answer.status_code == 400


def test_the_longest_password_is_accepted(call: Call) -> None:
    User.objects.create_user("long", password="é" * 1024)
    answer = call("POST", "token", {"username": "long", "password": "é" * 1024})
    assert answer.status_code == 200


def test_a_stale_authorization_header_does_not_hinder_a_login(user: User, call: Call) -> None:
    body = {"username": "ada", "password": PASSWORD}
    assert call("POST", "token", body, access="stale").status_code == 200


def test_signals_tell_of_success_and_failure(user: User, call: Call) -> None:
    heard: list[Json] = []

    def hear(sender: Any, signal: Any, **facts: Any) -> None:
        heard.append(facts)

    signals.login_succeeded.connect(hear)
    signals.login_failed.connect(hear)
    try:
        pair = call("POST", "token", {"username": "ada", "password": PASSWORD}).json()
        call("POST", "token", {"username": "ada", "password": "wrong"})
    finally:
        signals.login_succeeded.disconnect(hear)
        signals.login_failed.disconnect(hear)
    assert heard == [{"user": user, "session_id": pair["session"]}, {"username": "ada"}]


def test_a_login_that_raced_with_a_change_of_password_is_refused(user: User) -> None:
    checked = User.objects.get(pk=user.pk)
    user.set_password("another battery staple")
    user.save()
    with pytest.raises(errors.InvalidCredentials):
        sessions.start(checked)
    assert not LoginSession.objects.exists()


def test_an_inactive_user_gets_no_session_from_any_backend(user: User) -> None:
    user.is_active = False
    user.save()
    with pytest.raises(errors.InvalidCredentials):
        sessions.start(user)


def test_a_login_that_raced_with_a_deletion_is_refused(user: User) -> None:
    checked = User.objects.get(pk=user.pk)
    user.delete()
    with pytest.raises(errors.InvalidCredentials):
        sessions.start(checked)


def test_nothing_secret_is_logged_or_shown(
    pair: Json, call: Call, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    fresh = call("POST", "token/refresh", {"refresh": pair["refresh"]}).json()
    call("POST", "token/refresh", {"refresh": fresh["refresh"]})
    answers = [
        call("POST", "token/refresh", {"refresh": pair["refresh"]}),
        call("POST", "token", {"username": "ada", "password": "wrong horse"}),
        call("GET", "me", access=pair["access"]),
    ]
    shown = caplog.text + "".join(answer.text for answer in answers) + repr(sessions.start(user))
    secrets = ["wrong horse", *(token.rpartition(".")[2] for token in map(str, fresh.values()))]
    assert "refresh token reused" in caplog.text
    assert not [secret for secret in secrets[:3] if secret in shown]


def test_no_row_holds_a_token(pair: Json) -> None:
    rows = json.dumps([*LoginSession.objects.values(), *Refresh.objects.values()], default=str)
    for token in (pair["access"], pair["refresh"]):
        assert not any(part in rows for part in token.split("."))


def test_a_changed_password_kills_every_older_token_and_brings_a_new_pair(
    sign_in: Callable[..., Json], call: Call
) -> None:
    here, elsewhere = sign_in(device="here"), sign_in()
    body = {"current_password": PASSWORD, "new_password": "another battery staple"}
    fresh = call("POST", "password/change", body, access=here["access"])
    assert fresh.status_code == 200, fresh.content
    for old in (here, elsewhere):
        assert call("GET", "me", access=old["access"]).json()["code"] == "token_revoked"
        again = call("POST", "token/refresh", {"refresh": old["refresh"]})
        assert again.json()["code"] == "token_revoked"
    assert call("GET", "me", access=fresh.json()["access"]).status_code == 200
    assert LoginSession.objects.get(revoked_at=None).device == "here"


@pytest.mark.parametrize(
    ("current", "new", "status"),
    [("wrong", "another battery staple", 401), (PASSWORD, "short", 400), (PASSWORD, 7, 400)],
)
def test_a_refused_change_of_password_changes_nothing(
    pair: Json, call: Call, current: str, new: Any, status: int
) -> None:
    body = {"current_password": current, "new_password": new}
    answer = call("POST", "password/change", body, access=pair["access"])
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["errors"][0]["field"] == "new_password"
    assert call("GET", "me", access=pair["access"]).status_code == 200
    assert User.objects.get().check_password(PASSWORD)


def test_a_session_that_ended_meanwhile_changes_no_password(user, rf):
    pair = credentials.sign_in(rf.post("/"), username="ada", password="correct horse battery")
    session = LoginSession.objects.get(pk=pair.session)
    sessions.end(sessions.of(user), reason=sessions.Reason.LOGOUT)
    with pytest.raises(errors.TokenRevoked):
        credentials.change_password(
            rf.post("/"), session=session, current="correct horse battery", new="a new long one"
        )
    user.refresh_from_db()
    assert user.check_password("correct horse battery")
