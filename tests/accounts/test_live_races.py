"""Callers that come at the same instant, over sockets, each served by a thread of its own."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts import sessions
from accounts.models import LoginSession, Refresh
from accounts.sessions import TokenPair
from tests.product import Reply, call

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture(params=[False, True], ids=["own transactions", "atomic requests"])
def auth(
    live_server: LiveServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> str:
    """Where ``auth/`` is. What overlaps is said by the test, not by how busy the machine is."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", request.param)
    settings.ACCOUNTS = {**settings.ACCOUNTS, "REFRESH_OVERLAP": 60}
    return f"{live_server.url}/api/v1/auth"


def together(*works: Callable[[], Any]) -> list[Any]:
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def refresh(auth: str, token: str) -> Reply:
    return call("POST", f"{auth}/token/refresh", {"refresh": token})


def status_of(auth: str, access: str) -> int:
    return call("GET", f"{auth}/me", Authorization=f"Bearer {access}").status


def test_of_twenty_parallel_refreshes_one_wins_and_a_replay_later_ends_the_family(
    auth: str, user: User
) -> None:
    pair = sessions.start(user)
    answers = together(*[lambda: refresh(auth, pair.refresh)] * 20)
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 19}
    assert {a.json["code"] for a in answers if a.status == 409} == {"refresh_in_progress"}
    (won,) = (answer.json for answer in answers if answer.status == 200)
    assert status_of(auth, won["access"]) == 200
    last = refresh(auth, won["refresh"])
    assert last.status == 200
    replay = refresh(auth, pair.refresh)
    assert (replay.status, replay.json["code"]) == (401, "token_reused")
    assert status_of(auth, last.json["access"]) == 401
    assert refresh(auth, last.json["refresh"]).json["code"] == "token_revoked"
    assert LoginSession.objects.get().reason == "refresh token reused"


def test_thirty_refreshes_that_race_with_a_revocation_leave_nothing_alive(
    auth: str, user: User
) -> None:
    for _ in range(30):
        pair = sessions.start(user)
        survivors = [pair.access, *race_with_revocation(auth, pair)]
        assert {status_of(auth, access) for access in survivors} == {401}
    assert not LoginSession.objects.filter(revoked_at=None).exists()
    assert not Refresh.objects.filter(session__revoked_at=None).exists()


def race_with_revocation(auth: str, pair: TokenPair) -> list[str]:
    """The access token that the refresh brought, if it was first."""
    refreshed, revoked = together(
        lambda: refresh(auth, pair.refresh),
        lambda: call("POST", f"{auth}/token/revoke", {"token": pair.access}),
    )
    assert revoked.status == 200
    assert refreshed.status == 200 or refreshed.json["code"] == "token_revoked"
    return [refreshed.json["access"]] if refreshed.status == 200 else []


def test_with_a_grace_twenty_parallel_refreshes_bring_one_pair(
    auth: str, user: User, settings: Settings
) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "REFRESH_GRACE": 60}
    pair = sessions.start(user)
    answers = together(*[lambda: refresh(auth, pair.refresh)] * 20)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["refresh"] for answer in answers}) == 1
    assert len({answer.json["access"] for answer in answers}) == 1
    assert Refresh.objects.count() == 2
