"""Listing and ending sessions, over the API."""

import secrets
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts import signals
from accounts.models import LoginSession, new_session_id

from .conftest import PASSWORD, Call, Json

pytestmark = pytest.mark.django_db


def test_me_tells_who_the_token_speaks_for(
    user: User, sign_in: Callable[..., Json], call: Call
) -> None:
    user.user_permissions.add(Permission.objects.get(codename="end_loginsession"))
    pair = sign_in()
    assert call("GET", "me", access=pair["access"]).json() == {
        "id": user.pk,
        "username": "ada",
        "is_staff": False,
        "permissions": ["accounts.end_loginsession"],
        "session": pair["session"],
    }


def test_after_a_logout_the_access_token_is_dead_in_the_same_second(pair: Json, call: Call) -> None:
    answer = call("POST", "logout", access=pair["access"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    again = call("GET", "me", access=pair["access"])
    assert (again.status_code, again.json()["code"]) == (401, "token_revoked")
    refreshed = call("POST", "token/refresh", {"refresh": pair["refresh"]})
    assert refreshed.json()["code"] == "token_revoked"


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_revoking_either_token_ends_the_session(pair: Json, call: Call, kind: str) -> None:
    answer = call("POST", "token/revoke", {"token": pair[kind], "token_type_hint": "whatever"})
    assert (answer.status_code, answer.json()) == (200, {})
    assert call("GET", "me", access=pair["access"]).json()["code"] == "token_revoked"


@pytest.mark.parametrize("token", ["", "unknown", "a.b.c", "x" * 5000])
def test_revoking_an_unknown_token_succeeds_and_ends_nothing(
    pair: Json, call: Call, token: str
) -> None:
    answer = call("POST", "token/revoke", {"token": token})
    assert answer.status_code == 200 if token else 400
    assert call("GET", "me", access=pair["access"]).status_code == 200


def test_revoking_twice_succeeds_and_keeps_the_first_reason(pair: Json, call: Call) -> None:
    call("POST", "logout", access=pair["access"])
    assert call("POST", "token/revoke", {"token": pair["refresh"]}).status_code == 200
    assert LoginSession.objects.get().reason == "logout"


def test_the_list_shows_living_sessions_newest_first_and_marks_this_one(
    sign_in: Callable[..., Json], call: Call
) -> None:
    first, second, third = sign_in(device="phone"), sign_in(device="laptop"), sign_in()
    call("POST", "logout", access=third["access"])
    rows = call("GET", "sessions", access=first["access"]).json()["results"]
    assert [(row["id"], row["device"], row["current"]) for row in rows] == [
        (second["session"], "laptop", False),
        (first["session"], "phone", True),
    ]
    assert rows[0].keys() == {"id", "device", "created_at", "last_used_at", "address", "current"}


def test_the_list_is_cut_into_pages(sign_in: Callable[..., Json], call: Call) -> None:
    pairs = [sign_in() for _ in range(3)]
    page = call("GET", "sessions?limit=2", access=pairs[0]["access"]).json()
    rest = call("GET", f"sessions?{page['next'].partition('?')[2]}", access=pairs[0]["access"])
    found = [row["id"] for row in page["results"] + rest.json()["results"]]
    assert found == [pair["session"] for pair in reversed(pairs)]
    assert rest.json()["next"] is None


@pytest.mark.parametrize(
    "position",
    ["p=nonsense", "p=9999999-01-01", "o=x", "r=1&p=", "r=2", "x=1", "p=2026-11-24", "\0\0\0"],
    ids=str,
)
def test_a_made_up_cursor_is_refused(pair: Json, call: Call, position: str) -> None:
    cursor = b64encode(position.encode()).decode()
    answer = call("GET", f"sessions?cursor={quote(cursor)}", access=pair["access"])
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "limit=", "cursor=", "page=2", "format=xml"]
)
def test_a_list_takes_no_other_query(pair: Json, call: Call, query: str) -> None:
    answer = call("GET", f"sessions?{query}", access=pair["access"])
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_ending_one_session_leaves_the_others(sign_in: Callable[..., Json], call: Call) -> None:
    here, lost = sign_in(), sign_in()
    path = f"sessions/{lost['session']}"
    assert call("DELETE", path, access=here["access"]).status_code == 204
    assert call("GET", "me", access=lost["access"]).status_code == 401
    assert call("GET", "me", access=here["access"]).status_code == 200
    assert call("DELETE", path, access=here["access"]).status_code == 204
    assert call("DELETE", f"{path}x", access=here["access"]).status_code == 404


def test_a_session_of_somebody_else_is_not_there(pair: Json, call: Call) -> None:
    User.objects.create_user("eve", password=PASSWORD)
    eve = call("POST", "token", {"username": "eve", "password": PASSWORD}).json()
    assert call("DELETE", f"sessions/{pair['session']}", access=eve["access"]).status_code == 404
    assert call("POST", "sessions/revoke-others", access=eve["access"]).json() == {"revoked": 0}
    assert call("GET", "me", access=pair["access"]).status_code == 200
    rows = call("GET", "sessions", access=eve["access"]).json()["results"]
    assert [row["id"] for row in rows] == [eve["session"]]


def test_ending_the_others_leaves_this_one(sign_in: Callable[..., Json], call: Call) -> None:
    here, there, elsewhere = sign_in(), sign_in(), sign_in()
    answer = call("POST", "sessions/revoke-others", access=here["access"])
    assert (answer.status_code, answer.json()) == (200, {"revoked": 2})
    codes = [call("GET", "me", access=p["access"]).status_code for p in (here, there, elsewhere)]
    assert codes == [200, 401, 401]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "me"),
        ("GET", "sessions"),
        ("POST", "logout"),
        ("DELETE", "sessions/x"),
        ("POST", "sessions/revoke-others"),
        ("POST", "password/change"),
    ],
)
def test_without_a_token_nothing_is_told_or_done(call: Call, method: str, path: str) -> None:
    answer = call(method, path)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_revocation_is_announced_after_the_commit(
    pair: Json,
    call: Call,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    heard: list[Json] = []

    def hear(sender: Any, signal: Any, **facts: Any) -> None:
        heard.append(facts)

    signals.session_revoked.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            call("POST", "logout", access=pair["access"])
            assert heard == []
    finally:
        signals.session_revoked.disconnect(hear)
    assert heard == [{"session_id": pair["session"], "reason": "logout"}]


def test_the_last_use_is_the_last_refresh(pair: Json, call: Call) -> None:
    old = timezone.now() - timezone.timedelta(days=1)
    LoginSession.objects.update(last_used_at=old)
    call("GET", "me", access=pair["access"])
    assert LoginSession.objects.get().last_used_at == old
    call("POST", "token/refresh", {"refresh": pair["refresh"]})
    assert LoginSession.objects.get().last_used_at > old


def test_one_login_too_many_ends_the_session_that_was_idle_longest(
    sign_in: Callable[..., Json], call: Call, settings: Settings
) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "MAX_SESSIONS": 2}
    first, second = sign_in(), sign_in()
    first = call("POST", "token/refresh", {"refresh": first["refresh"]}).json()
    third = sign_in()
    codes = [call("GET", "me", access=p["access"]).status_code for p in (first, second, third)]
    assert codes == [200, 401, 200]
    assert LoginSession.objects.get(pk=second["session"]).reason == "too many sessions"


def test_a_lower_limit_holds_from_the_next_login_on(
    sign_in: Callable[..., Json], call: Call, settings: Settings
) -> None:
    pairs = [sign_in() for _ in range(3)]
    settings.ACCOUNTS = {**settings.ACCOUNTS, "MAX_SESSIONS": 1}
    assert call("GET", "me", access=pairs[0]["access"]).status_code == 200
    last = sign_in()
    rows = call("GET", "sessions", access=last["access"]).json()["results"]
    assert [row["id"] for row in rows] == [last["session"]]


def test_with_a_bearer_token_one_revokes_ones_own_tokens_only(pair: Json, call: Call) -> None:
    User.objects.create_user("eve", password=PASSWORD)
    eve = call("POST", "token", {"username": "eve", "password": PASSWORD}).json()
    for caller, status in ((eve["access"], 200), ("stale", 401)):
        body = {"token": pair["refresh"]}
        assert call("POST", "token/revoke", body, access=caller).status_code == 200
        assert call("GET", "me", access=pair["access"]).status_code == status
    assert call("POST", "token/revoke", {"token": eve["access"]}, access=eve["access"]).json() == {}
    assert call("GET", "me", access=eve["access"]).status_code == 401


def test_revoking_one_token_leaves_other_sessions_and_users_alone(
    sign_in: Callable[..., Json], call: Call
) -> None:
    lost, kept = sign_in(), sign_in()
    User.objects.create_user("eve", password=PASSWORD)
    eve = call("POST", "token", {"username": "eve", "password": PASSWORD}).json()
    call("POST", "token/revoke", {"token": lost["access"]})
    codes = [call("GET", "me", access=each["access"]).status_code for each in (lost, kept, eve)]
    assert codes == [401, 200, 200]


def test_no_session_is_called_like_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(["-dash", "--dashes", "none"])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: next(made))
    assert new_session_id() == "none"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "logout"), ("POST", "sessions/revoke-others"), ("DELETE", "sessions/{session}"),
     ("DELETE", "signing-keys/1")],
)  # fmt: skip
def test_what_takes_no_body_takes_an_empty_one_at_most(
    pair: Json, call: Call, method: str, path: str
) -> None:
    where = path.format(session=pair["session"])
    answer = call(method, where, {"dry_run": True}, access=pair["access"])
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "dry_run")
    assert call("GET", "me", access=pair["access"]).status_code == 200
    assert call(method, where, {}, access=pair["access"]).status_code in (200, 204, 404)
