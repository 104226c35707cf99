"""Clients that lose answers may ask again, for a while, and get the same one."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import LoginSession, Refresh

from .conftest import Call, Json

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def grace(settings: Settings) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "REFRESH_GRACE": 60}


def refresh(call: Call, token: str) -> tuple[int, Json]:
    answer = call("POST", "token/refresh", {"refresh": token})
    return answer.status_code, answer.json()


def test_the_same_call_brings_the_same_pair_and_the_family_stays_a_line(
    pair: Json, call: Call
) -> None:
    answers = [refresh(call, pair["refresh"]) for _ in range(3)]
    assert answers[0][0] == 200
    assert answers == answers[:1] * 3
    assert Refresh.objects.count() == 2
    assert call("GET", "me", access=answers[2][1]["access"]).status_code == 200
    assert refresh(call, answers[2][1]["refresh"])[0] == 200


def test_the_pair_does_not_depend_on_when_it_is_asked_for_again(pair: Json, call: Call) -> None:
    _, first = refresh(call, pair["refresh"])
    earlier = timezone.now() - timedelta(seconds=50)
    Refresh.objects.filter(generation=0).update(used_at=earlier)
    assert refresh(call, pair["refresh"]) == (200, first)


def test_once_the_successor_is_used_it_is_a_theft(pair: Json, call: Call) -> None:
    _, second = refresh(call, pair["refresh"])
    _, third = refresh(call, second["refresh"])
    assert refresh(call, pair["refresh"])[1]["code"] == "token_reused"
    assert refresh(call, third["refresh"])[1]["code"] == "token_revoked"


def test_after_the_grace_it_is_a_theft(pair: Json, call: Call) -> None:
    _, second = refresh(call, pair["refresh"])
    Refresh.objects.filter(generation=0).update(used_at=timezone.now() - timedelta(seconds=61))
    assert refresh(call, pair["refresh"])[1]["code"] == "token_reused"
    assert call("GET", "me", access=second["access"]).json()["code"] == "token_revoked"


def test_a_session_that_has_ended_repeats_nothing(pair: Json, call: Call) -> None:
    refresh(call, pair["refresh"])
    call("POST", "logout", access=pair["access"])
    assert refresh(call, pair["refresh"])[1]["code"] == "token_revoked"


def test_the_second_pair_ends_with_its_session(pair: Json, call: Call) -> None:
    LoginSession.objects.update(expires_at=timezone.now() + timedelta(seconds=30))
    _, fresh = refresh(call, pair["refresh"])
    assert fresh["access_expires_at"] == fresh["refresh_expires_at"]
    assert refresh(call, pair["refresh"]) == (200, fresh)


def test_no_row_tells_how_to_make_the_pair(pair: Json, call: Call) -> None:
    """It takes the token itself besides the pepper and the key."""
    refresh(call, pair["refresh"])
    rows = [*Refresh.objects.values_list("pk", flat=True)]
    assert not [row for row in rows if row in pair["refresh"]]
