"""The access log and the ids, through the WSGI wrapper around Django."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.test.client import ClientHandler
from rest_framework.test import APIClient

from config.current import here
from config.headers import SecurityHeaders
from config.logs import JsonLines
from config.requests import Requests
from health.responder import HealthResponder

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Site:
    """The application as a server calls it, and what it wrote to the log."""

    def __init__(self, application: Callable[..., Any], written: io.StringIO) -> None:
        self.application = Requests(application)
        self.written = written

    def call(self, method: str, path: str, **given: Any) -> tuple[int, dict[str, str]]:
        environ = RequestFactory().generic(method, path, **given).environ
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> None:
            started.append((status, headers))

        self.application(environ, start)
        ((status, headers),) = started
        names = [name.lower() for name, _ in headers]
        assert len(names) == len(set(names)), names
        return int(status[:3]), dict(headers)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]

    @property
    def access(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["logger"] == "mainstay.access"]


def django(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Django's own handler would close the database of the test."""
    response = ClientHandler(enforce_csrf_checks=False)(environ)
    start_response(f"{response.status_code} -", list(response.items()))
    return []


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.root.addHandler(handler)
    yield stream
    logging.root.removeHandler(handler)


@pytest.fixture
def site(written: io.StringIO) -> Site:
    return Site(HealthResponder(django), written)


@pytest.mark.parametrize("given", ["abc-1.2_3", "x" * 64])
def test_a_sound_request_id_comes_back(site: Site, given: str) -> None:
    _, headers = site.call("GET", "/nowhere", headers={"x-request-id": given})
    assert headers["X-Request-ID"] == given
    assert site.access[0]["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "é", "a\tb", "a\nb", "a\n", "<b>"])
def test_any_other_request_id_is_replaced(site: Site, given: str) -> None:
    _, headers = site.call("GET", "/nowhere", headers={"x-request-id": given})
    assert len(headers["X-Request-ID"]) == 32
    assert headers["X-Request-ID"] != given
    assert site.access[0]["request_id"] == headers["X-Request-ID"]


def test_the_access_log_tells_the_route_and_never_the_path_or_the_query(
    site: Site, db: None
) -> None:
    status, _ = site.call("GET", "/api/v1/breakers/hunter2?password=hunter2")
    assert status == 400
    (line,) = site.access
    seen = line["method"], line["route"], line["status"]
    assert seen == ("GET", "/api/v1/breakers/<path:name>", 400)
    assert line["duration_ms"] >= 0
    assert line["user_id"] is None
    assert "hunter2" not in site.written.getvalue()


def test_a_path_of_nobody_has_no_route(site: Site) -> None:
    assert site.call("GET", "/hunter2")[0] == 404
    assert site.access[0]["route"] is None
    assert "hunter2" not in site.written.getvalue()


def test_methods_are_those_there_are(site: Site) -> None:
    site.call("HUNTER2", "/nowhere")
    site.call("TRACE", "/nowhere")
    assert [line["method"] for line in site.access] == ["OTHER", "TRACE"]


def test_a_signed_in_user_is_told_by_number(site: Site, api: APIClient, user: User) -> None:
    bearer = api._credentials["HTTP_AUTHORIZATION"]
    site.call("GET", "/api/v1/auth/me", headers={"authorization": bearer})
    assert site.access[-1]["user_id"] == str(user.pk)


def test_so_is_a_user_of_the_admin(site: Site, client: Client, operator: User) -> None:
    client.force_login(operator)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    assert site.call("GET", "/admin/", headers={"cookie": cookie})[0] == 200
    assert site.access[-1]["user_id"] == str(operator.pk)


def test_nobody_is_looked_up_only_for_the_log(
    site: Site, client: Client, operator: User, django_assert_num_queries: Any
) -> None:
    client.force_login(operator)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    with django_assert_num_queries(0):
        assert site.call("GET", "/api/nowhere", headers={"cookie": cookie})[0] == 404


@pytest.mark.parametrize("path", ["/health", "/health/live", "/metrics"])
def test_probes_are_answered_with_an_id_and_not_logged(site: Site, db: None, path: str) -> None:
    status, headers = site.call("GET", path)
    assert len(headers["X-Request-ID"]) == 32
    assert status in (200, 503)
    assert site.access == []


def test_probes_that_are_refused_are_logged(site: Site) -> None:
    assert site.call("POST", "/health/live")[0] == 405
    assert site.call("GET", "/health/hunter2")[0] == 404
    assert [(line["route"], line["status"]) for line in site.access] == [
        ("/health", 405),
        ("/health", 404),
    ]
    assert "hunter2" not in site.written.getvalue()


def test_a_failure_outside_of_django_is_answered_and_logged_with_its_id(
    written: io.StringIO,
) -> None:
    def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ZeroDivisionError("hunter2")

    site = Site(SecurityHeaders(failing), written)
    status, headers = site.call("GET", "/x", headers={"x-request-id": "mine"})
    assert (status, headers["Content-Type"]) == (500, "application/problem+json")
    failure, access = site.lines
    assert (failure["level"], failure["request_id"]) == ("ERROR", "mine")
    assert "ZeroDivisionError" in failure["exception"]
    assert (access["request_id"], access["status"]) == ("mine", 500)
    assert here.get() is None


def test_an_exception_in_a_view_is_logged_with_the_id(site: Site, settings: Any, db: None) -> None:
    settings.ROOT_URLCONF = "tests.config.failing_urls"
    status, headers = site.call("GET", "/api/plain/bug")
    assert status == 500
    failure = next(line for line in site.lines if "exception" in line)
    assert failure["request_id"] == headers["X-Request-ID"] == site.access[0]["request_id"]


def test_the_trace_of_a_caller_is_in_the_log(site: Site) -> None:
    parent = f"00-{TRACE}-00f067aa0ba902b7-01"
    _, headers = site.call("GET", "/nowhere", headers={"traceparent": parent})
    assert site.access[0]["trace_id"] == TRACE
    assert "traceparent" not in {name.lower() for name in headers}


def test_without_a_valid_one_a_trace_begins(site: Site) -> None:
    for given in ({}, {"traceparent": f"00-{TRACE}-00f067aa0ba902b7"}):
        site.call("GET", "/nowhere", headers=given)
    first, second = (line["trace_id"] for line in site.access)
    assert len(first) == len(second) == 32
    assert len({first, second, TRACE}) == 3


def test_nothing_is_left_behind_for_the_next_request_of_the_thread(site: Site) -> None:
    site.call("GET", "/nowhere")
    assert here.get() is None
