"""How much a request may carry."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from config.bodies import BodyMiddleware

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
    assert b'"too_large"' in refused.content


@pytest.mark.parametrize("length", [str(10**12), "9" * 5_000], ids=["large", "endless"])
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
