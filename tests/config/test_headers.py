import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from config.headers import ALWAYS, AsyncSecurityHeaders, Kind, Policy, SecurityHeaders


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("get", "/api/v1/generations", Kind.DATA),
        ("head", "/api/v1/generations", Kind.DATA),
        ("options", "/api/v1/generations", Kind.DATA),
        ("trace", "/api/v1/generations", Kind.DATA),
        ("get", "/nowhere", Kind.DATA),
        ("get", "/api/schema", Kind.DATA),
        ("get", "/static/admin/css/base.css", Kind.DATA),
        ("get", "/admin/login/", Kind.ADMIN),
        ("get", "/admin/", Kind.ADMIN),
        ("get", "/api/docs", Kind.DOCS),
    ],
)
def test_every_answer_carries_the_whole_set(
    client: Client, db: None, method: str, path: str, kind: Kind
) -> None:
    response = client.generic(method.upper(), path)
    response.close()
    for name, value in (ALWAYS | kind.value).items():
        assert response.headers[name] == value, name
    assert "Strict-Transport-Security" not in response.headers
    assert response.headers["Cache-Control"]


def test_https_promises_to_stay_https(client: Client) -> None:
    response = client.get("/nowhere", secure=True)
    promise = response.headers["Strict-Transport-Security"]
    assert promise == "max-age=63072000; includeSubDomains"


def test_a_bad_host_gets_the_headers_too(client: Client) -> None:
    response = client.get("/api/v1/generations", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert response.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("path", "content_type", "kind"),
    [
        ("/admin/", "text/html; charset=utf-8", Kind.ADMIN),
        ("/admin/jsi18n/", "text/javascript", Kind.DATA),
        ("/api/docs", "text/html; charset=utf-8", Kind.DOCS),
        ("/api/docs", "application/javascript", Kind.DATA),
        ("/api/docs/more", "text/html", Kind.DATA),
        ("/api/v1/generations/1/content/0", "text/html", Kind.DATA),
        ("/administration", "text/html", Kind.WORDS),
        ("/nowhere", "text/html", Kind.WORDS),
        ("/", "", Kind.DATA),
    ],
)
def test_only_pages_of_ours_may_run_scripts(path: str, content_type: str, kind: Kind) -> None:
    assert Kind.of(path, content_type) is kind


def test_no_kind_of_answer_lets_scripts_in_from_elsewhere() -> None:
    for kind in Kind:
        policy = kind.value["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "*" not in policy and "http" not in policy


def test_the_promise_to_stay_https_is_as_long_as_the_settings_say(settings: Settings) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = False
    settings.SECURE_HSTS_PRELOAD = True
    sent = Policy().headers("/", "", https=True)
    assert sent["Strict-Transport-Security"] == "max-age=60; preload"
    assert "Strict-Transport-Security" not in Policy().headers("/", "", https=False)


WEAK = [
    ("Content-Type", "text/html"),
    ("x-frame-options", "ALLOWALL"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("content-security-policy", "default-src *"),
    ("Referrer-Policy", "unsafe-url"),
    ("Set-Cookie", "a=1"),
    ("Set-Cookie", "b=2"),
    ("Cache-Control", "max-age=60"),
]
SOUND = [
    ("Content-Type", "text/html"),
    ("Set-Cookie", "a=1"),
    ("Set-Cookie", "b=2"),
    ("Cache-Control", "max-age=60"),
]


def test_the_policy_takes_the_place_of_whatever_was_said_and_leaves_the_rest() -> None:
    completed = Policy().completed(WEAK, "/admin/", https=False)
    assert completed == [*SOUND, *(ALWAYS | Kind.ADMIN.value).items()]


def test_what_says_nothing_of_caches_is_not_to_be_stored() -> None:
    assert ("Cache-Control", "no-store") in Policy().completed([], "/", https=False)


Started = list[tuple[str, dict[str, str]]]


def answered(application: Any, **environ: str) -> tuple[Started, bytes]:
    started: Started = []

    def start_response(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> None:
        assert len({name.lower() for name, _ in headers}) == len(headers)
        started.append((status, dict(headers)))

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/api/v1/x",
        "wsgi.url_scheme": "http",
    } | environ
    return started, b"".join(SecurityHeaders(application)(environ, start_response))


def test_the_wrapper_covers_an_application_that_knows_nothing() -> None:
    def bare(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"hello"]

    ((status, headers),), body = answered(bare)
    assert (status, body) == ("200 OK", b"hello")
    expected = {"Content-Type": "text/html", "Cache-Control": "no-store"}
    assert headers == expected | ALWAYS | Kind.DATA.value


def test_the_wrapper_believes_the_scheme_that_wrappers_inside_have_found_out() -> None:
    def corrected(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.url_scheme"] = "https"
        start_response("204 No Content", [])
        return []

    ((_, headers),), _ = answered(corrected)
    assert "Strict-Transport-Security" in headers


def test_the_wrapper_answers_for_an_application_that_breaks_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise ZeroDivisionError("hunter2")

    ((status, headers),), body = answered(broken)
    assert status == "500 Internal Server Error"
    assert headers["Content-Type"] == "application/problem+json"
    assert headers.items() >= (ALWAYS | Kind.DATA.value).items()
    assert json.loads(body)["code"] == "internal_error"
    assert b"hunter2" not in body
    assert "hunter2" in caplog.text


def test_the_wrapper_around_an_asynchronous_application_does_the_same() -> None:
    sent: list[Any] = []

    async def weak(scope: Any, receive: Any, send: Any) -> None:
        headers = [(name.encode(), value.encode()) for name, value in WEAK]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})

    async def keep(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/admin/", "scheme": "http"}
    asyncio.run(AsyncSecurityHeaders(weak)(scope, None, keep))
    start, body = sent
    expected = [*SOUND, *(ALWAYS | Kind.ADMIN.value).items()]
    assert start["headers"] == [(n.lower().encode(), v.encode()) for n, v in expected]
    assert body == {"type": "http.response.body", "body": b"hello"}


def test_who_leaves_the_admin_has_the_browser_forget_and_nobody_else_can(
    client: Client, operator: User
) -> None:
    client.force_login(operator)
    assert client.get("/admin/").status_code == 200
    refused = client.get("/admin/logout/")
    assert (refused.status_code, refused.headers.get("Clear-Site-Data")) == (405, None)
    left = client.post("/admin/logout/")
    assert left.status_code == 200
    assert left.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert client.get("/admin/").status_code == 302
