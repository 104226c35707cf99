from typing import Any

import pytest
from corsheaders.signals import check_request_enabled
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponseBase
from django.test import Client
from pytest_django import Settings

ORIGIN = "https://app.example"


@pytest.fixture(autouse=True)
def one_origin(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]


def access_control(response: HttpResponseBase) -> dict[str, str]:
    return {k: v for k, v in response.headers.items() if k.lower().startswith("access-control")}


def preflight(client: Client, origin: str, path: str = "/api/v1/generations") -> HttpResponseBase:
    return client.options(path, headers={"origin": origin, "access-control-request-method": "POST"})


def test_a_preflight_from_a_named_origin_is_answered_without_a_view(client: Client) -> None:
    response = preflight(client, ORIGIN)
    allowed = access_control(response)
    assert response.status_code == 200
    assert allowed["access-control-allow-origin"] == ORIGIN
    assert allowed["access-control-max-age"] == "600"
    assert "idempotency-key" in allowed["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in allowed


def test_errors_can_be_read_by_a_named_origin(client: Client) -> None:
    response = client.get("/api/nowhere", headers={"origin": ORIGIN})
    assert response.status_code == 404
    assert access_control(response)["access-control-allow-origin"] == ORIGIN
    assert "Retry-After" in access_control(response)["access-control-expose-headers"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://APP.example",
        "HTTPS://app.example",
        "https://app.example/",
        "https://app.example/path",
        "https://app.example?query",
        "https://app.example#fragment",
        "https://app.example:443",
        " https://app.example",
        "https://app.example, https://app.example",
        "https://app.example.",
        "https://app.example.evil.example",
        "http://app.example",
        "https://user@app.example",
        "https://app\t.example",
        "null",
        "[",
    ],
)
def test_any_other_spelling_gets_no_cors_header_at_all(client: Client, origin: str) -> None:
    for response in (
        preflight(client, origin),
        client.get("/api/nowhere", headers={"origin": origin}),
    ):
        assert access_control(response) == {}
        assert "origin" in response.headers["Vary"].lower()


def test_nothing_outside_the_api_is_shared(client: Client, db: None) -> None:
    response = client.get("/admin/login/", headers={"origin": ORIGIN})
    assert access_control(response) == {}


def test_an_answer_to_anybody_says_that_another_origin_may_get_another(client: Client) -> None:
    for origin in ({}, {"origin": ORIGIN}, {"origin": "https://evil.example"}):
        vary = client.get("/api/nowhere", headers=origin).headers["Vary"].lower().split(", ")
        assert vary.count("origin") == 1


def test_no_receiver_of_the_librarys_signal_opens_the_api(client: Client) -> None:
    def everybody(**_: Any) -> bool:
        return True

    check_request_enabled.connect(everybody)
    try:
        answer = client.get("/api/nowhere", headers={"origin": "https://evil.example"})
        page = client.get("/nowhere", headers={"origin": ORIGIN})
    finally:
        assert check_request_enabled.disconnect(everybody)
    assert access_control(answer) == access_control(page) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CORS_ALLOW_ALL_ORIGINS", True),
        ("CORS_ORIGIN_ALLOW_ALL", True),
        ("CORS_ALLOWED_ORIGIN_REGEXES", [r"^https://.*\.example$"]),
        ("CORS_ORIGIN_REGEX_WHITELIST", [r"^https://.*\.example$"]),
        ("CORS_ORIGIN_WHITELIST", [ORIGIN]),
        ("CORS_ALLOW_CREDENTIALS", True),
        ("CORS_ALLOW_PRIVATE_NETWORK", True),
        ("CORS_ALLOWED_ORIGINS", ["*"]),
        ("CORS_ALLOWED_ORIGINS", ["https://*.app.example"]),
        ("CORS_ALLOWED_ORIGINS", ["https://app.example/"]),
        ("CORS_ALLOWED_ORIGINS", ["https://app.example/path"]),
        ("CORS_ALLOWED_ORIGINS", ["null"]),
        ("CORS_ALLOW_METHODS", ["GET", "*"]),
        ("CORS_ALLOW_HEADERS", ["*"]),
        ("CORS_EXPOSE_HEADERS", ["*"]),
        ("CORS_URLS_REGEX", r"^.*$"),
        ("CORS_PREFLIGHT_MAX_AGE", 86_400),
        ("CORS_PREFLIGHT_MAX_AGE", 0),
    ],
)
def test_a_setting_that_lets_in_more_than_the_list_names_is_refused_at_start(
    client: Client, settings: Settings, name: str, value: Any
) -> None:
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        client.get("/")
    complaints = [str(found.msg) for found in run_checks() if found.id == "config.E001"]
    assert [name in complaint for complaint in complaints] == [True]


def test_the_settings_as_they_are_pass(settings: Settings) -> None:
    assert [found for found in run_checks() if found.id.startswith("config.")] == []
    settings.MIDDLEWARE = settings.MIDDLEWARE[1:]
    assert "config.E002" in {found.id for found in run_checks()}
