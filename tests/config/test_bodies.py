"""How much a request may carry."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from config.bodies import BodyMiddleware, bounded

KB = 1_024


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


def post(path: str, size: int, **headers: Any) -> HttpRequest:
    return RequestFactory().post(path, b"x" * size, "application/json", headers=headers)


@pytest.mark.parametrize(
    ("path", "largest"),
    [
        pytest.param("/api/v1/auth/token", 64 * KB, id="a login"),
        pytest.param("/api/v1/auth/password/change", 64 * KB, id="a new password"),
        pytest.param("/admin/login/", 64 * KB, id="a login to the admin"),
        pytest.param("/api/v1/generations", KB * KB, id="a generation"),
        pytest.param("/nowhere", KB * KB, id="nothing there"),
    ],
)
def test_each_route_takes_so_much(path: str, largest: int) -> None:
    taken, refused = (BodyMiddleware(view)(post(path, size)) for size in (largest, largest + 1))
    assert (taken.status_code, taken.content) == (200, str(largest).encode())
    assert refused.status_code == 413
    kind = "text/html" if path.startswith("/admin/") else "application/problem+json"
    assert refused.headers["Content-Type"].startswith(kind)


@pytest.mark.parametrize(
    "length",
    [str(10**12), "9" * 5_000, "0" * 5_000 + "70000"],
    ids=["large", "endless", "zeros before it"],
)
def test_what_is_too_large_is_refused_unread(length: str) -> None:
    def unread(request: HttpRequest) -> HttpResponse:
        raise AssertionError

    request = post("/api/v1/auth/token", 1)
    request.META["CONTENT_LENGTH"] = length
    assert BodyMiddleware(unread)(request).status_code == 413
    assert not request._read_started


@pytest.mark.parametrize("encoding", ["chunked", "gzip, chunked", "identity", ""])
def test_a_body_whose_length_nobody_tells_is_refused(encoding: str) -> None:
    request = post("/api/v1/auth/token", 10, **{"Transfer-Encoding": encoding})
    refused = BodyMiddleware(view)(request)
    assert refused.status_code == 411
    assert b'"length_required"' in refused.content


@pytest.mark.parametrize("length", ["", "-1", "+5", "1e9", "five", "²"])
def test_a_length_that_is_none_is_the_servers_business(length: str) -> None:
    request = post("/api/v1/auth/token", 0)
    request.META["CONTENT_LENGTH"] = length
    assert BodyMiddleware(lambda _: HttpResponse())(request).status_code == 200


def test_no_body_needs_no_length(rf: RequestFactory) -> None:
    assert BodyMiddleware(view)(rf.get("/api/v1/auth/me")).status_code == 200


def test_a_form_that_is_too_large_is_refused_by_a_page() -> None:
    answer = Client().post("/admin/login/", {"username": "x" * 70_000})
    assert answer.status_code == 413
    assert answer.headers["Content-Type"].startswith("text/html")


def test_the_refusal_can_be_read_by_pages_of_allowed_origins(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    answer = Client().post(
        "/api/v1/auth/token", {"username": "x" * 70_000}, headers={"origin": "https://app.example"}
    )
    assert answer.status_code == 413
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"


def over_asgi(chunks: list[bytes], **headers: str) -> tuple[list[bytes], str, int]:
    """What Django gets of a login's body, what it hears next, and how many chunks are unread."""
    left: Iterator[bytes] = iter(chunks)
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def receive() -> dict[str, Any]:
        chunk = next(left, None)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": chunk != b"end"}

    async def exchange() -> tuple[list[bytes], str, int]:
        read = bounded({"path": "/api/v1/auth/token", "headers": given}, receive)
        got, more = [], True
        while more:
            message = await read()
            got.append(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
        unread = len(chunks) - len(got) if any(got) else len(chunks)
        return got, (await read())["type"], unread

    return async_to_sync(exchange)()


GONE = "http.disconnect"


def test_over_asgi_a_body_within_its_limit_passes() -> None:
    assert over_asgi([b"begin", b"end"], content_length="8") == ([b"begin", b"end"], GONE, 0)


def test_over_asgi_a_body_is_cut_where_it_gets_too_large() -> None:
    kilobytes = [b"x" * KB] * 100
    assert over_asgi(kilobytes) == (kilobytes[:65], GONE, 35)


@pytest.mark.parametrize("header", [{"content_length": "65537"}, {"transfer_encoding": "chunked"}])
def test_over_asgi_nothing_is_read_of_what_will_be_refused(header: dict[str, str]) -> None:
    assert over_asgi([b"begin", b"end"], **header) == ([b""], GONE, 2)


def test_over_asgi_the_end_of_the_client_is_passed_on() -> None:
    assert over_asgi([b"begin"]) == ([b"begin", b""], GONE, -1)


@pytest.mark.parametrize("name", ["Accept", "Content-Type"])
def test_a_header_that_takes_long_to_read_is_refused(client: Client, name: str) -> None:
    headers = {name: "application/json" + ";a=b" * 3_000}
    for path in ("/nowhere", "/api/v1/auth/me"):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 431


def test_an_object_of_too_many_names_is_refused_before_they_are_looked_at(client: Client) -> None:
    body = json.dumps({f"k{number}": [1] for number in range(1_001)})
    answer = client.post("/api/v1/auth/token/revoke", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
