from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from config.headers import ALWAYS, DATA, PAGE, SecurityHeaders, completed


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("get", "/api/v1/generations", DATA),
        ("head", "/api/v1/generations", DATA),
        ("options", "/api/v1/generations", DATA),
        ("trace", "/api/v1/generations", DATA),
        ("get", "/nowhere", DATA),
        ("get", "/api/schema", DATA),
        ("get", "/static/admin/css/base.css", DATA),
        ("get", "/admin/login/", PAGE),
        ("get", "/admin/", PAGE),
        ("get", "/api/docs", PAGE),
    ],
)
def test_every_answer_carries_the_whole_set(
    client: Client, db: None, method: str, path: str, kind: dict[str, str]
) -> None:
    response = client.generic(method.upper(), path)
    response.close()
    for name, value in (ALWAYS | kind).items():
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


@pytest.mark.parametrize("given", ["abc-1.2_3", "x" * 64])
def test_a_sound_request_id_comes_back(client: Client, given: str) -> None:
    response = client.get("/nowhere", headers={"x-request-id": given})
    assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "é", "a\tb"])
def test_any_other_request_id_is_replaced(client: Client, given: str) -> None:
    response = client.get("/nowhere", headers={"x-request-id": given})
    assert len(response.headers["X-Request-ID"]) == 32
    assert response.headers["X-Request-ID"] != given


def test_the_wrapper_fills_in_and_never_doubles() -> None:
    headers = completed(
        [("content-type", "application/json"), ("x-frame-options", "DENY")], https=True
    )
    names = [name.lower() for name, _ in headers]
    assert len(names) == len(set(names))
    assert dict(headers) | ALWAYS | DATA == dict(headers) | ALWAYS | DATA
    assert {name.lower() for name in ALWAYS | DATA} | {"strict-transport-security"} <= set(names)


def test_the_wrapper_covers_an_application_that_knows_nothing() -> None:
    def bare(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"hello"]

    seen: dict[str, str] = {}

    def start_response(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> None:
        seen.update(headers)

    assert SecurityHeaders(bare)({"wsgi.url_scheme": "http"}, start_response) == [b"hello"]
    assert seen == {"Content-Type": "text/html"} | ALWAYS | PAGE
