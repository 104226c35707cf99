import pytest
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
