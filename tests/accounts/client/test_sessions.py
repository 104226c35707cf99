"""What a session does on its own, with threads and with tasks, before an obedient server."""

import asyncio
import io
import json
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from accounts.client import (
    AsyncTokenSession,
    MemoryStorage,
    ServerUnavailable,
    SessionEnded,
    SignInRefused,
    SignInRequired,
    TokenSession,
)

from .conftest import Open
from .fake import SITE, FakeServer, Wire, problem


def test_requests_carry_the_access_token(session: Any, server: FakeServer) -> None:
    assert session.get("/things").json() == {"token": "Bearer access-1"}
    assert server.asked == {"token": 1, "/things": 1}


def test_who_has_not_signed_in_is_told_so_and_nothing_is_sent(
    opened: Open, server: FakeServer
) -> None:
    session = opened()
    assert not session.signed_in
    with pytest.raises(SignInRequired) as caught:
        session.get("/things")
    assert type(caught.value) is SignInRequired
    assert not server.asked


@pytest.mark.parametrize(
    ("status", "code", "headers", "retry_after"),
    [
        (401, "invalid_credentials", {}, None),
        (423, "account_locked", {"Retry-After": "900"}, 900),
        (429, "rate_limited", {"Retry-After": "7"}, 7),
        (400, "invalid", {"Retry-After": "soon"}, None),
    ],
    ids=lambda value: str(value),
)
def test_a_sign_in_that_is_refused_says_why_and_until_when(
    opened: Open,
    server: FakeServer,
    status: int,
    code: str,
    headers: dict[str, str],
    retry_after: float | None,
) -> None:
    session = opened()
    server.answers["token"] = [problem(status, code, **headers)]
    with pytest.raises(SignInRefused) as caught:
        session.sign_in("ada", "wrong")
    error = caught.value
    assert (error.status, error.code, error.retry_after) == (status, code, retry_after)
    assert server.asked == {"token": 1}
    assert not session.signed_in


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"access": 1}),
        httpx2.Response(502, text="Bad Gateway"),
        httpx2.Response(404),
        httpx2.Response(307, headers={"Location": "https://elsewhere.example/token"}),
        httpx2.ConnectError("refused"),
    ],
    ids=["page", "list", "half", "gateway", "no such path", "redirect", "unreachable"],
)
def test_an_answer_of_no_use_is_not_a_refusal(
    opened: Open, server: FakeServer, answer: Any
) -> None:
    session = opened(follow_redirects=True)
    server.answers["token"] = [answer]
    with pytest.raises(ServerUnavailable):
        session.sign_in("ada", "right")
    assert [request.url.host for request in server.requests] == ["mainstay.example"]


def test_a_token_near_its_end_is_renewed_before_it_is_used(
    session: Any, server: FakeServer
) -> None:
    server.lifetime = -60
    session.sign_in("ada", "right")
    server.lifetime = 3600
    assert session.get("/things").json() == {"token": "Bearer access-3"}
    assert session.get("/things").status_code == 200
    assert server.asked == {"token": 2, "token/refresh": 1, "/things": 2}


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_wrong_by_hours_changes_nothing(
    opened: Open, server: FakeServer, hours: int
) -> None:
    now = server.clock
    server.clock = lambda: now() + hours * 3600
    session = opened()
    session.sign_in("ada", "right")
    for _ in range(3):
        session.get("/things")
    assert server.asked == {"token": 1, "/things": 3}


def test_without_a_time_from_the_server_the_401_tells(opened: Open, server: FakeServer) -> None:
    server.tells_time, server.lifetime = False, 0
    session = opened()
    session.sign_in("ada", "right")
    assert session.get("/things").status_code == 200
    server.expire()
    assert session.get("/things").status_code == 200
    assert server.asked == {"token": 1, "token/refresh": 1, "/things": 3}


def test_a_token_that_expired_unnoticed_is_renewed_once_and_the_call_repeated(
    session: Any, server: FakeServer
) -> None:
    server.expire()
    answer = session.post("/things", json={"a": 1})
    assert answer.json() == {"token": "Bearer access-2"}
    assert server.asked == {"token": 1, "token/refresh": 1, "/things": 2}
    first, second = (r for r in server.requests if r.url.path == "/things")
    assert first.content == second.content == b'{"a":1}'


def test_no_exchange_of_tokens_is_in_the_history_of_a_response(
    session: Any, server: FakeServer
) -> None:
    server.expire()
    answer = session.get("/things")
    assert [old.url.path for old in answer.history] == ["/things"]


def test_a_server_that_refuses_fresh_tokens_too_is_not_asked_for_ever(
    session: Any, server: FakeServer
) -> None:
    server.answers["/things"] = [problem(401, "token_expired") for _ in range(2)]
    assert session.get("/things").status_code == 401
    assert server.asked == {"token": 1, "token/refresh": 1, "/things": 2}


@pytest.mark.parametrize(
    "answer",
    [
        problem(401, "invalid_credentials"),
        problem(401, "signature_invalid"),
        problem(403, "token_expired"),
        httpx2.Response(401, text="who are you?"),
        httpx2.Response(401, json=["token_expired"]),
    ],
    ids=["wrong password", "signature", "not a 401", "text", "list"],
)
def test_other_refusals_are_the_callers(session: Any, server: FakeServer, answer: Any) -> None:
    server.answers["/things"] = [answer]
    assert session.get("/things").content == answer.content
    assert server.asked == {"token": 1, "/things": 1}


def test_a_challenge_as_the_standard_has_it_will_do(session: Any, server: FakeServer) -> None:
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    server.answers["/things"] = [httpx2.Response(401, headers=challenge, json={"detail": "x"})]
    assert session.get("/things").status_code == 200
    assert server.asked["token/refresh"] == 1


def test_a_session_ended_elsewhere_ends_once_and_without_a_loop(
    session: Any, server: FakeServer
) -> None:
    server.alive = False
    with pytest.raises(SessionEnded) as caught:
        session.get("/things")
    assert (caught.value.status, caught.value.code) == (401, "token_revoked")
    assert server.asked == {"token": 1, "token/refresh": 1, "/things": 1}
    assert not session.signed_in
    with pytest.raises(SignInRequired) as after:
        session.get("/things")
    assert type(after.value) is SignInRequired
    assert server.asked["/things"] == 1


def test_a_streamed_body_is_not_sent_twice_but_the_next_call_has_fresh_tokens(
    server: FakeServer,
) -> None:
    with TokenSession(SITE, transport=Wire(server)) as session:
        session.sign_in("ada", "right")
        server.expire()

        def pieces() -> Iterator[bytes]:
            yield b"once"

        assert session.post("/things", content=pieces()).status_code == 401
        assert session.post("/things", content=pieces()).status_code == 200
        server.expire()
        file = io.BytesIO(b"x")
        assert session.post("/things", files={"file": file}).status_code == 401
    assert server.asked == {"token": 1, "token/refresh": 2, "/things": 3}


def test_a_body_streamed_by_a_task_is_not_sent_twice_either(server: FakeServer) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"once"

    async def scene() -> list[int]:
        async with AsyncTokenSession(SITE, transport=Wire(server)) as session:
            await session.sign_in("ada", "right")
            server.expire()
            answers = [await session.post("/things", content=pieces()) for _ in range(2)]
            return [answer.status_code for answer in answers]

    assert asyncio.run(scene()) == [401, 200]


def test_what_was_done_before_a_redirect_is_not_done_again(
    opened: Open, server: FakeServer
) -> None:
    session = opened(follow_redirects=True)
    session.sign_in("ada", "right")
    for method, tries in (("POST", 1), ("GET", 2)):
        server.expire()
        server.answers["/orders"] = [httpx2.Response(303, headers={"Location": "/orders/1"})] * 2
        before = server.asked["/orders"]
        answer = session.request(method, "/orders")
        assert answer.status_code == (401 if method == "POST" else 200)
        assert server.asked["/orders"] == before + tries


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example/x",
        "https://mainstay.example:8443/x",
        "http://mainstay.example/x",
        "https://mainstay.example.evil.example/x",
        "https://ada:b@elsewhere.example/x",
    ],
)
def test_the_token_goes_to_no_other_origin(
    opened: Open, server: FakeServer, elsewhere: str
) -> None:
    session = opened(follow_redirects=True)
    session.sign_in("ada", "right")
    for code in (301, 302, 303, 307, 308):
        server.answers["/away"] = [httpx2.Response(code, headers={"Location": elsewhere})]
        session.post("/away", json={})
    session.get(elsewhere)
    strangers = [r for r in server.requests if r.url.path == "/x"]
    assert len(strangers) == 6
    for request in strangers:
        assert "access" not in request.headers.get("Authorization", "")
    assert server.asked["token/refresh"] == 0


def test_credentials_of_the_request_itself_are_left_alone(session: Any, server: FakeServer) -> None:
    session.get("/things", headers={"Authorization": "Basic YTpi"})
    assert server.requests[-1].headers["Authorization"] == "Basic YTpi"
    assert server.asked["token/refresh"] == 0


@pytest.mark.parametrize(
    "failure",
    [problem(503, "database_unavailable", Retry_After="1"), httpx2.ReadTimeout("slow")],
    ids=["503", "silence"],
)
def test_a_renewal_that_could_wait_is_put_off_while_the_server_is_unwell(
    session: Any, server: FakeServer, failure: Any
) -> None:
    about_to_end(session)
    server.answers["token/refresh"] = [failure]
    for _ in range(3):
        assert session.get("/things").json() == {"token": "Bearer access-1"}
    assert server.asked["token/refresh"] == 1


def test_a_renewal_that_cannot_wait_fails_and_the_session_lives_on(
    session: Any, server: FakeServer
) -> None:
    server.expire()
    server.answers["token/refresh"] = [problem(503, "database_unavailable", Retry_After="1")]
    with pytest.raises(ServerUnavailable) as caught:
        session.get("/things")
    assert (caught.value.status, caught.value.retry_after) == (503, 1)
    assert session.get("/things").status_code == 200


def test_who_finds_the_refresh_token_in_use_waits_for_what_the_other_got(
    session: Any, server: FakeServer
) -> None:
    server.expire()
    storage = session._renewal.storage

    def other_saves(path: str) -> None:
        if path == "token/refresh":
            kept = json.loads(storage.load())
            kept["tokens"] |= {"access": "access-7", "refresh": "refresh-7"}
            server.accepted.add("Bearer access-7")
            storage.save(json.dumps(kept))

    server.before = other_saves
    server.answers["token/refresh"] = [problem(409, "refresh_in_progress", Retry_After="1")]
    assert session.get("/things").json() == {"token": "Bearer access-7"}
    assert server.asked["token/refresh"] == 1


def test_a_refresh_token_in_strange_hands_is_never_presented_again(
    session: Any, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.client.renewal.LONGEST_LOOK", 0.01)
    server.expire()
    server.answers["token/refresh"] = [problem(409, "refresh_in_progress", Retry_After="1")]
    with pytest.raises(SessionEnded) as caught:
        session.get("/things")
    assert caught.value.code == "refresh_in_progress"
    assert server.asked["token/refresh"] == 1


def test_log_out_ends_the_session_at_the_server_and_here(session: Any, server: FakeServer) -> None:
    session.log_out()
    assert server.bodies[-1] == {"token": "refresh-1"}
    assert not session.signed_in
    session.log_out()
    assert server.asked["token/revoke"] == 1


def test_a_log_out_that_did_not_arrive_can_be_repeated(session: Any, server: FakeServer) -> None:
    server.answers["token/revoke"] = [httpx2.ConnectError("refused"), problem(503, "x")]
    for _ in range(2):
        with pytest.raises(ServerUnavailable):
            session.log_out()
        assert session.signed_in
    session.log_out()
    assert not session.signed_in


def test_a_new_password_brings_new_tokens(session: Any, server: FakeServer) -> None:
    session.change_password("right", "better")
    assert server.bodies[-1] == {"current_password": "right", "new_password": "better"}
    assert session.get("/things").json() == {"token": "Bearer access-2"}
    server.answers["password/change"] = [problem(401, "invalid_credentials")]
    with pytest.raises(SignInRefused):
        session.change_password("wrong", "better")
    server.answers["password/change"] = [problem(401, "token_revoked")]
    with pytest.raises(SessionEnded):
        session.change_password("right", "better")


def test_the_device_token_is_presented_at_the_next_sign_in_also_after_the_end(
    session: Any, server: FakeServer
) -> None:
    assert "device_token" not in server.bodies[0]
    session.get("/things")
    session.log_out()
    session.sign_in("ada", "right", device="laptop")
    assert server.bodies[-1] == {
        "username": "ada", "password": "right", "device": "laptop", "device_token": "device-1",
    }  # fmt: skip


def test_sessions_that_share_a_storage_share_a_login(opened: Open, server: FakeServer) -> None:
    storage = MemoryStorage()
    one, two = opened(storage=storage), opened(storage=storage)
    one.sign_in("ada", "right")
    assert two.get("/things").status_code == 200
    server.expire()
    assert {each.get("/things").status_code for each in (one, two)} == {200}
    assert server.asked["token/refresh"] == 1
    two.log_out()
    with pytest.raises(SessionEnded):
        one.get("/things")
    assert server.asked["token/refresh"] == 1


def test_no_token_is_shown_by_what_may_be_logged(session: Any, server: FakeServer) -> None:
    renewal = session._renewal
    shown = [repr(each) for each in (session, renewal, renewal.held, renewal._kept())]
    server.answers["token/refresh"] = [problem(503, "x")]
    server.expire()
    with pytest.raises(ServerUnavailable) as caught:
        session.get("/things")
    shown += [repr(caught.value), str(caught.value), str(server.requests[-1].headers)]
    assert not [text for text in shown if "access-" in text or "refresh-1" in text]


def test_of_many_threads_one_renews_and_all_go_on(server: FakeServer) -> None:
    with TokenSession(SITE, transport=Wire(server)) as session:
        session.sign_in("ada", "right")
        server.expire()
        barrier = threading.Barrier(20)

        def call(_: int) -> int:
            barrier.wait()
            return session.get("/things").status_code

        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(call, range(20))) == {200}
    assert server.asked["token/refresh"] == 1


def test_of_many_tasks_one_renews_and_all_go_on(server: FakeServer) -> None:
    async def scene() -> set[int]:
        async with AsyncTokenSession(SITE, transport=Wire(server)) as session:
            await session.sign_in("ada", "right")
            server.expire()
            answers = await asyncio.gather(*(session.get("/things") for _ in range(20)))
            return {answer.status_code for answer in answers}

    assert asyncio.run(scene()) == {200}
    assert server.asked["token/refresh"] == 1


def test_nobody_waits_for_a_renewal_ahead_of_time(server: FakeServer) -> None:
    with TokenSession(SITE, transport=Wire(server)) as session:
        session.sign_in("ada", "right")
        about_to_end(session)
        renewing, go_on = threading.Event(), threading.Event()

        def hold_up(path: str) -> None:
            if path == "token/refresh":
                renewing.set()
                assert go_on.wait(30)

        server.before = hold_up
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(session.get, "/things")
            assert renewing.wait(30)
            assert session.get("/things").json() == {"token": "Bearer access-1"}
            go_on.set()
            assert slow.result(30).json() == {"token": "Bearer access-2"}


def test_a_cancelled_task_does_not_lose_the_tokens_it_was_getting(server: FakeServer) -> None:
    async def scene() -> int:
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(request: httpx2.Request) -> httpx2.Response:
            if request.url.path.endswith("/refresh"):
                arrived.set()
                await go_on.wait()
            return server(request)

        async with AsyncTokenSession(SITE, transport=httpx2.MockTransport(slowly)) as session:
            await session.sign_in("ada", "right")
            server.expire()
            call = asyncio.ensure_future(session.get("/things"))
            await arrived.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            go_on.set()
            return (await session.get("/things")).status_code

    assert asyncio.run(scene()) == 200
    assert server.asked["token/refresh"] == 1


def test_a_path_may_begin_elsewhere(server: FakeServer) -> None:
    session = TokenSession(f"{SITE}/below/", mount="/login", transport=Wire(server))
    with session, pytest.raises(SignInRefused):
        session.sign_in("ada", "right")
    assert [str(request.url) for request in server.requests] == [f"{SITE}/below/login/token"]


def about_to_end(session: Any) -> None:
    """Its token is still good, but due for renewal."""
    renewal = session._renewal
    renewal._held = renewal.held.put_off(0)
