"""What staff learn about a token, over the API."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from .conftest import PASSWORD, Call, Json
from .forge import forged, payload

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(operator: User, call: Call) -> Callable[[str], Json]:
    body = {"username": "operator", "password": PASSWORD}
    access = call("POST", "token", body).json()["access"]

    def answer(token: str) -> Json:
        reply = call("POST", "token/introspect", {"token": token}, access=access)
        assert reply.status_code == 200, reply.content
        return dict(reply.json())

    return answer


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_a_living_token_is_active_and_says_whose_it_is(
    ask: Callable[[str], Json], pair: Json, user: User, kind: str
) -> None:
    claims = payload(pair[kind])
    assert ask(pair[kind]) == {
        "active": True,
        "sub": str(user.pk),
        "username": "ada",
        "sid": pair["session"],
        "token_type": kind,
        "iat": claims["iat"],
        "exp": claims["exp"],
    }


DEAD = {"active": False}


@pytest.mark.parametrize("token", ["x", "a.b.c", "x" * 5000, "\N{SNOWMAN}"], ids=lambda t: t[:9])
def test_what_is_no_token_is_not_active(ask: Callable[[str], Json], token: str) -> None:
    assert ask(token) == DEAD


@pytest.mark.parametrize(
    "changes",
    [{"exp": 1}, {"sid": "other"}, {"jti": None}, {"exp": 10**18}, {"sub": "999"}, {"ep": 7}],
    ids=str,
)
def test_a_signed_token_that_would_be_refused_is_not_active(
    ask: Callable[[str], Json], pair: Json, changes: Json
) -> None:
    assert ask(forged({**payload(pair["access"]), **changes})) == DEAD


def test_after_a_logout_neither_token_is_active(
    ask: Callable[[str], Json], pair: Json, call: Call
) -> None:
    call("POST", "logout", access=pair["access"])
    assert [ask(pair[kind]) for kind in ("access", "refresh")] == [DEAD, DEAD]


def test_a_used_refresh_token_is_not_active_and_asking_uses_none(
    ask: Callable[[str], Json], pair: Json, call: Call
) -> None:
    assert ask(pair["refresh"])["active"]
    fresh = call("POST", "token/refresh", {"refresh": pair["refresh"]}).json()
    assert ask(pair["refresh"]) == DEAD
    assert ask(pair["access"])["active"]
    assert ask(fresh["refresh"])["active"]


@pytest.mark.parametrize("change", ["inactive", "deleted"])
def test_a_token_of_a_user_who_is_gone_is_not_active(
    ask: Callable[[str], Json], pair: Json, user: User, change: str
) -> None:
    if change == "deleted":
        user.delete()
    else:
        User.objects.filter(pk=user.pk).update(is_active=False)
    assert ask(pair["access"]) == DEAD


def test_others_than_staff_learn_nothing_even_of_their_own(pair: Json, call: Call) -> None:
    body = {"token": pair["access"]}
    refused = call("POST", "token/introspect", body, access=pair["access"])
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    unknown = call("POST", "token/introspect", body)
    assert (unknown.status_code, unknown.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize(
    "body", [{}, {"token": ""}, {"token": 7}, {"token": None}, {"token": "x", "scope": "y"}]
)
def test_a_body_that_is_no_question_is_refused(operator: User, call: Call, body: Any) -> None:
    login = {"username": "operator", "password": PASSWORD}
    access = call("POST", "token", login).json()["access"]
    assert call("POST", "token/introspect", body, access=access).status_code == 400
