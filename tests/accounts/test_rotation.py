from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from accounts import rotation, signals
from accounts.models import LoginSession, Refresh

from .conftest import Call, Json
from .forge import forged, payload

pytestmark = pytest.mark.django_db


def refresh(call: Call, token: Any) -> tuple[int, Json]:
    answer = call("POST", "token/refresh", {"refresh": token})
    return answer.status_code, answer.json()


def test_a_refresh_brings_a_working_pair_of_the_same_session(pair: Json, call: Call) -> None:
    status, fresh = refresh(call, pair["refresh"])
    assert status == 200
    assert fresh["session"] == pair["session"]
    assert call("GET", "me", access=fresh["access"]).status_code == 200
    assert refresh(call, fresh["refresh"])[0] == 200


def test_the_end_of_the_family_never_moves(pair: Json, call: Call) -> None:
    end = LoginSession.objects.get().expires_at
    LoginSession.objects.update(created_at=timezone.now() - timedelta(days=10))
    _, fresh = refresh(call, pair["refresh"])
    assert LoginSession.objects.get().expires_at == end
    assert fresh["refresh_expires_at"] == pair["refresh_expires_at"]


def test_claims_are_exactly_the_documented_ones(pair: Json, call: Call) -> None:
    _, fresh = refresh(call, pair["refresh"])
    for token, kind in ((fresh["access"], "access"), (fresh["refresh"], "refresh")):
        claims = payload(token)
        assert claims.keys() == {
            "iss", "aud", "sub", "sid", "jti", "token_type", "gen", "ep", "iat", "nbf", "exp",
        }  # fmt: skip
        assert (claims["token_type"], claims["gen"], len(claims["jti"])) == (kind, 1, 43)
    assert payload(fresh["access"])["exp"] - payload(fresh["access"])["iat"] == 3600


@pytest.mark.usefixtures("wide_overlap")
def test_an_overlapping_call_gets_nothing_and_the_family_lives(pair: Json, call: Call) -> None:
    _, fresh = refresh(call, pair["refresh"])
    answer = call("POST", "token/refresh", {"refresh": pair["refresh"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "refresh_in_progress")
    assert answer.headers["Retry-After"] == "1"
    assert refresh(call, fresh["refresh"])[0] == 200


@pytest.mark.usefixtures("no_overlap")
def test_a_replay_kills_the_family(pair: Json, call: Call) -> None:
    _, fresh = refresh(call, pair["refresh"])
    status, answer = refresh(call, pair["refresh"])
    assert (status, answer["code"]) == (401, "token_reused")
    assert call("GET", "me", access=fresh["access"]).json()["code"] == "token_revoked"
    assert refresh(call, fresh["refresh"])[1]["code"] == "token_revoked"
    assert LoginSession.objects.get().reason == "refresh token reused"


def test_once_the_successor_is_used_a_replay_is_theft_however_early(pair: Json, call: Call) -> None:
    _, second = refresh(call, pair["refresh"])
    _, third = refresh(call, second["refresh"])
    assert refresh(call, pair["refresh"])[1]["code"] == "token_reused"
    assert refresh(call, third["refresh"])[1]["code"] == "token_revoked"


@pytest.mark.usefixtures("no_overlap")
def test_other_families_of_the_user_survive_a_replay(sign_in: Any, call: Call) -> None:
    stolen, other = sign_in(), sign_in()
    refresh(call, stolen["refresh"])
    refresh(call, stolen["refresh"])
    assert call("GET", "me", access=other["access"]).status_code == 200


@pytest.mark.usefixtures("no_overlap")
def test_reuse_is_signalled_once(pair: Json, call: Call) -> None:
    heard: list[str] = []

    def hear(session_id: str, **_: Any) -> None:
        heard.append(session_id)

    signals.refresh_reuse_detected.connect(hear)
    try:
        for _ in range(3):
            refresh(call, pair["refresh"])
    finally:
        signals.refresh_reuse_detected.disconnect(hear)
    assert heard == [pair["session"]]


@pytest.mark.usefixtures("no_overlap")
@pytest.mark.django_db(transaction=True)
def test_under_atomic_requests_the_revocation_survives_the_error(
    pair: Json, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    _, fresh = refresh(call, pair["refresh"])
    assert refresh(call, pair["refresh"])[1]["code"] == "token_reused"
    assert LoginSession.objects.get().revoked_at is not None
    assert refresh(call, fresh["refresh"])[1]["code"] == "token_revoked"


@pytest.mark.django_db(transaction=True)
def test_a_rotation_inside_a_transaction_is_refused(pair: Json) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        rotation.rotate(pair["refresh"])
    assert Refresh.objects.get().used_at is None


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 5000, "\N{SNOWMAN}"], ids=lambda t: t[:9])
def test_a_malformed_refresh_token_is_refused(call: Call, token: str) -> None:
    assert refresh(call, token)[0] in (400, 401)


@pytest.mark.parametrize("token", [7, None, ["x"], {"a": 1}, True], ids=repr)
def test_a_refresh_token_that_is_no_text_is_refused_by_field(call: Call, token: Any) -> None:
    status, answer = refresh(call, token)
    assert (status, answer["errors"][0]["field"]) == (400, "refresh")


def test_an_access_token_does_not_refresh(pair: Json, call: Call) -> None:
    assert refresh(call, pair["access"])[1]["code"] == "token_invalid"


def test_a_signed_token_that_was_never_issued_does_not_refresh(pair: Json, call: Call) -> None:
    token = forged({**payload(pair["refresh"]), "jti": "never"})
    assert refresh(call, token)[1]["code"] == "token_revoked"


def test_an_expired_refresh_token_says_so(pair: Json, call: Call) -> None:
    token = forged({**payload(pair["refresh"]), "exp": 1})
    assert refresh(call, token)[1]["code"] == "token_expired"


def test_an_inactive_user_does_not_refresh(pair: Json, user: User, call: Call) -> None:
    User.objects.update(is_active=False)
    assert refresh(call, pair["refresh"])[1]["code"] == "token_revoked"


def test_a_deleted_user_does_not_refresh(pair: Json, user: User, call: Call) -> None:
    user.delete()
    assert refresh(call, pair["refresh"])[1]["code"] == "token_revoked"
    assert call("GET", "me", access=pair["access"]).json()["code"] == "token_revoked"
