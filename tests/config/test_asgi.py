import asyncio
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from pytest_django import Settings

from health import checker


@pytest.fixture
def application(db: None) -> Iterator[Any]:
    from config.asgi import application

    checker.start()
    yield application
    checker.current().stop()


def get(
    application: Any, path: str, *more: tuple[bytes, bytes], **headers: str
) -> tuple[int, dict[str, str], bytes]:
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "client": ("10.0.0.1", 4711), "server": ("127.0.0.1", 8000),
        "headers": [(b"host", b"localhost")]
        + [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        + list(more),
    }  # fmt: skip

    async def exchange() -> tuple[int, dict[str, str], bytes]:
        request = ApplicationCommunicator(application, scope)
        await request.send_input({"type": "http.request", "body": b""})
        start = await request.receive_output(30)
        body = await request.receive_output(30)
        await request.wait(30)
        names = {key.decode().lower(): value.decode() for key, value in start["headers"]}
        return start["status"], names, body["body"]

    return asyncio.run(exchange())


def test_health_is_answered_before_django_with_the_headers(application: Any) -> None:
    status, headers, body = get(application, "/health/live")
    assert (status, body) == (200, b'{"status":"pass"}')
    assert headers["x-frame-options"] == "DENY"
    assert len(headers["x-request-id"]) == 32


def test_the_rest_is_djangos(application: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    status, headers, body = get(application, "/nowhere", x_request_id="mine")
    assert headers["x-request-id"] == "mine"
    assert "GET - 404" in caplog.text
    assert status == 404
    assert b"not_found" in body
    assert headers["x-frame-options"] == "DENY"


def test_a_trusted_proxy_tells_address_and_scheme(application: Any, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    settings.HEALTH = {"ALLOWED_CIDRS": ["198.51.100.1/32"]}
    status, _, _ = get(application, "/metrics", x_forwarded_for="203.0.113.1")
    assert status == 403
    status, headers, _ = get(
        application, "/metrics", x_forwarded_for="198.51.100.1", x_forwarded_proto="https"
    )
    assert status == 200
    assert "strict-transport-security" in headers


def test_limits_hold_here_as_well(application: Any, settings: Settings) -> None:
    settings.RATE_LIMITS = {"USER": 1, "ADDRESS": 1}
    statuses = []
    for _ in range(2):
        status, headers, _ = get(application, "/api/v1/auth/me")
        statuses.append(status)
    assert statuses == [401, 429]
    assert headers["ratelimit-policy"] == '"address";q=1;w=60'
    assert headers["retry-after"]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param((b"x_forwarded_for", b"198.51.100.1"), id="an underscore"),
        pytest.param((b"x-forwarded-for", b"203.0.113.1"), id="a second line"),
    ],
)
def test_nobody_speaks_for_a_proxy(
    application: Any, settings: Settings, more: tuple[bytes, bytes]
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    settings.HEALTH = {"ALLOWED_CIDRS": ["198.51.100.1/32"]}
    claimed = {True: "203.0.113.1", False: "198.51.100.1"}[b"_" in more[0]]
    status, _, _ = get(application, "/metrics", more, x_forwarded_for=claimed)
    assert status == 403


def test_a_body_of_no_known_length_is_refused_where_no_header_tells(application: Any) -> None:
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/auth/token/revoke", "raw_path": b"",
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "2",
        "client": ("10.0.0.1", 4711), "server": ("127.0.0.1", 8000),
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
    }  # fmt: skip

    async def post(*more: tuple[bytes, bytes]) -> int:
        request = ApplicationCommunicator(
            application, scope | {"headers": [*scope["headers"], *more]}
        )
        await request.send_input({"type": "http.request", "body": b'{"token": "x"}'})
        start = await request.receive_output(30)
        await request.receive_output(30)
        await request.wait(30)
        return int(start["status"])

    assert asyncio.run(post()) == 411
    assert asyncio.run(post((b"content-length", b"14"))) == 200


def test_nothing_speaks_websocket(application: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def knock() -> Any:
        caller = ApplicationCommunicator(application, {"type": "websocket", "path": "/"})
        await caller.send_input({"type": "websocket.connect"})
        answer = await caller.receive_output(30)
        await caller.wait(30)
        return answer

    assert asyncio.run(knock()) == {"type": "websocket.close"}
    # The checker of the process may have its own to say.
    assert [record for record in caplog.records if not record.name.startswith("health.")] == []
