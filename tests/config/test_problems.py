import json

import pytest
from django.test import Client

pytestmark = pytest.mark.urls("tests.config.failing_urls")


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("kind", ["plain", "drf"])
@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        ("circuit", 503, "circuit_open", "13"),
        ("full", 503, "bulkhead_full", "1"),
        ("late", 504, "time_limit_exceeded", None),
        ("busy", 409, "lock_busy", None),
        ("missing", 404, "not_found", None),
        ("forbidden", 403, "permission_denied", None),
        ("database", 503, "database_unavailable", "1"),
        ("bug", 500, "internal_error", None),
        ("misuse", 500, "internal_error", None),
    ],
)
def test_an_error_becomes_a_problem_document(
    client: Client, kind: str, error: str, status: int, code: str, retry_after: str | None
) -> None:
    response = client.get(f"/api/{kind}/{error}")
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["instance"] == f"/api/{kind}/{error}"
    assert body["title"] and body["detail"]
    if retry_after:
        assert response.headers["Retry-After"] == retry_after
    assert "hunter2" not in response.text


def test_throttling_says_when_to_come_back(client: Client) -> None:
    response = client.get("/api/drf/throttled")
    assert (response.status_code, response.json()["code"]) == (429, "rate_limited")
    assert response.headers["Retry-After"] == "7"


def test_each_refused_field_is_named_by_its_path(client: Client) -> None:
    response = client.post(
        "/api/order", {"address": {"city": "Llanfair"}}, content_type="application/json"
    )
    assert response.status_code == 400
    body = response.json()
    assert body["code"] == "invalid"
    assert {(row["field"], row["code"]) for row in body["errors"]} == {
        ("name", "required"),
        ("address.city", "max_length"),
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"{", "not JSON", id="cut off"),
        pytest.param(b"[]", "must be a JSON object", id="not an object"),
        pytest.param(b'{"name": NaN}', "NaN", id="not a number"),
        pytest.param(b'{"name": 1, "name": 2}', "twice", id="a name twice"),
        pytest.param(b'{"name": "\\ud800"}', "UTF-8", id="half a surrogate pair"),
        pytest.param(b'{"name": "\xff"}', "UTF-8", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "nested", id="too deep"),
    ],
)
def test_a_body_that_is_not_one_json_object_is_malformed(
    client: Client, body: bytes, said: str
) -> None:
    response = client.generic("POST", "/api/order", body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "malformed")
    assert said in response.json()["detail"]


def test_a_body_over_the_limit_is_refused(client: Client) -> None:
    big = json.dumps({"name": "x" * 1_100_000})
    response = client.post("/api/order", big, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_another_media_type_is_refused(client: Client) -> None:
    response = client.post("/api/order", "name=x", content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/api/order", "/api/plain/get-only"])
def test_a_wrong_method_is_told_the_right_ones(client: Client, path: str) -> None:
    response = client.delete(path)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["Allow"]


def test_trace_is_refused_everywhere(client: Client) -> None:
    assert client.trace("/api/order").status_code == 405
    assert client.trace("/admin/login/").status_code == 405


def test_an_unknown_path_is_a_problem_under_the_api_and_a_page_under_the_admin(
    client: Client, db: None
) -> None:
    assert client.get("/api/nowhere").json()["code"] == "not_found"
    assert client.get("/nowhere").json()["code"] == "not_found"
    page = client.get("/admin/bug")
    assert page.status_code == 500
    assert page.headers["Content-Type"].startswith("text/html")
    assert "hunter2" not in page.text


def test_a_host_that_is_not_ours_is_a_problem(client: Client) -> None:
    response = client.get("/api/order", headers={"host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (400, "malformed")


def test_a_suspicious_request_is_a_problem_without_its_reason(client: Client) -> None:
    response = client.get("/api/plain/suspicious")
    assert (response.status_code, response.json()["code"]) == (400, "malformed")
    assert "hunter2" not in response.text


def test_no_credentials_is_401_with_the_scheme(client: Client) -> None:
    response = client.get("/api/guarded")
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_form_without_its_csrf_token_is_refused(db: None) -> None:
    strict = Client(enforce_csrf_checks=True)
    page = strict.post("/admin/login/", {"username": "x", "password": "y"})
    assert page.status_code == 403
    assert page.headers["Content-Type"].startswith("text/html")
    answer = strict.post("/api/plain/get-only")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
