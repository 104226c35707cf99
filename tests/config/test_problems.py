import json
from http import HTTPStatus
from typing import Any

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
        pytest.param(b"[" * 100_000, "nested", id="far too deep"),
        pytest.param(b'{"name":' * 21 + b"1" + b"}" * 21, "nested", id="objects too deep"),
        pytest.param(b'{"name":' + b"[" * 20 + b"]" * 20 + b"}", "nested", id="lists too deep"),
        pytest.param(b'{"name": -1e400}', "too large", id="no finite number"),
        pytest.param(b'{"name": ' + b"9" * 21 + b"}", "too large", id="an endless integer"),
    ],
)
def test_a_body_that_is_not_one_json_object_is_malformed(
    client: Client, body: bytes, said: str
) -> None:
    response = client.generic("POST", "/api/order", body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "malformed")
    assert said in response.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"name":' + b"[" * 19 + b"]" * 19 + b"}", id="lists"),
        pytest.param(json.dumps({"name": ["[{"] * 100}).encode(), id="brackets in text"),
        pytest.param(b'{"name": %d}' % -(2**63), id="64 bits"),
    ],
)
def test_what_is_deep_and_long_but_not_too_much_is_read(client: Client, body: bytes) -> None:
    response = client.generic("POST", "/api/order", body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


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


@pytest.mark.parametrize(
    ("method", "headers", "status", "code", "told"),
    [
        ("POST", {}, 405, "method_not_allowed", {"Allow": "GET, HEAD"}),
        ("OPTIONS", {}, 405, "method_not_allowed", {"Allow": "GET, HEAD"}),
        ("GET", {"range": "bytes=99999999-"}, 416, "range_not_satisfiable",
         {"Content-Range": "bytes */"}),
    ],
)  # fmt: skip
def test_what_no_file_can_answer_is_a_problem(
    client: Client, method: str, headers: dict[str, str], status: int, code: str,
    told: dict[str, str],
) -> None:  # fmt: skip
    response = client.generic(method, "/static/admin/css/base.css", headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert all(response.headers[name].startswith(value) for name, value in told.items())


def test_trace_is_refused_everywhere(client: Client) -> None:
    for path in ("/api/order", "/admin/login/", "/nowhere", "/static/admin/css/base.css"):
        response = client.trace(path)
        assert response.status_code == 405
        assert response.headers["Allow"] == ("OPTIONS, POST" if path == "/api/order" else "")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/auth/token", "OPTIONS, POST"),
        ("/api/v1/auth/me", "GET, HEAD, OPTIONS"),
        ("/api/v1/auth/sessions/x", "DELETE, OPTIONS"),
        ("/api/v1/auth/signing-keys", "GET, HEAD, OPTIONS, POST"),
        ("/api/v1/breakers/a/b/config", "GET, HEAD, OPTIONS, PATCH"),
        ("/api/schema", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_tells_the_methods_without_asking_who_calls(
    client: Client, path: str, methods: str
) -> None:
    response = client.options(path)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Allow"] == methods
    wrong = client.put(path)
    assert wrong.status_code in (401, 405)
    assert client.options("/api/nowhere").status_code == 404


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/api/nowhere", BROWSER, "application/problem+json"),
        ("/nowhere", "", "application/problem+json"),
        ("/nowhere", "*/*", "application/problem+json"),
        ("/nowhere", "application/json", "application/problem+json"),
        ("/nowhere", "image/png", "application/problem+json"),
        ("/nowhere", "///,;q=x,", "application/problem+json"),
        ("/nowhere", BROWSER, "text/html; charset=utf-8"),
        ("/admin/missing", "", "text/html; charset=utf-8"),
        ("/admin/missing", BROWSER, "text/html; charset=utf-8"),
        ("/admin/missing", "application/json", "application/problem+json"),
    ],
)
def test_programs_are_told_in_json_and_people_by_a_page(
    client: Client, path: str, accept: str, kind: str
) -> None:
    response = client.get(path, headers={"accept": accept} if accept else {})
    assert response.status_code == 404
    assert response.headers["Content-Type"] == kind
    assert ("Accept" in response.headers["Vary"]) is not path.startswith("/api/")


@pytest.mark.parametrize(
    ("path", "status"),
    [("missing", 404), ("forbidden", 403), ("suspicious", 400), ("bug", 500), ("get-only", 405)],
)
def test_a_page_says_what_happened_and_nothing_more(client: Client, path: str, status: int) -> None:
    response = client.generic("POST" if status == 405 else "GET", f"/admin/{path}")
    assert response.status_code == status
    assert '<html lang="en">' in response.text
    assert f"<h1>{HTTPStatus(status).phrase}</h1>" in response.text
    assert "<title>" in response.text
    for unsafe in ("hunter2", "<script", "<style", " style=", " on"):
        assert unsafe not in response.text.partition("<body>")[2]
    assert ("Allow" in response.headers) is (status == 405)


@pytest.mark.parametrize(("error", "again"), [("circuit", "13"), ("database", "1"), ("busy", "3")])
def test_a_page_says_when_to_come_back(client: Client, error: str, again: str) -> None:
    response = client.get(f"/admin/{error}", headers={"accept": BROWSER})
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.headers.get("Retry-After") == again
    told = client.get(f"/admin/{error}", headers={"accept": "application/json"})
    assert told.headers["Content-Type"] == "application/problem+json"
    assert told.headers.get("Retry-After") == again


def test_a_page_is_shown_for_a_host_that_is_not_ours(client: Client) -> None:
    response = client.get("/admin/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert response.headers["Content-Type"].startswith("text/html")
    assert "evil.example" not in response.text


def test_the_instance_is_a_uri_whatever_was_asked_for(client: Client) -> None:
    assert client.get("/api/a%20b/%C3%A9%0A").json()["instance"] == "/api/a%20b/%C3%A9%0A"


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/problem+json", "", "x"])
def test_whatever_a_client_can_read_it_is_answered(client: Client, accept: str) -> None:
    response = client.options("/api/order", headers={"accept": accept})
    assert response.status_code == 204
    response = client.post(
        "/api/v1/auth/token/revoke",
        {"token": "none"},
        content_type="application/json",
        headers={"accept": accept},
    )
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "number", [2**64, -(2**63) - 1, 10**20 - 1, 10**20], ids=["2^64", "-2^63-1", "9s", "digits"]
)
def test_a_number_beyond_64_bits_is_refused(client: Client, number: int) -> None:
    codes = {given: refused(client, {"name": given}) for given in (number, 2**64 - 1, -(2**63))}
    assert codes == {number: "malformed", 2**64 - 1: "invalid", -(2**63): "invalid"}


def refused(client: Client, document: Any) -> str:
    response = client.post("/api/order", json.dumps(document), content_type="application/json")
    assert response.status_code == 400
    return str(response.json()["code"])


class Broken:
    def read(self, *_: Any) -> bytes:
        raise OSError("the client has gone")

    readline = read


def test_a_body_that_breaks_off_is_no_error_of_ours(client: Client) -> None:
    sent = {"wsgi.input": Broken(), "CONTENT_LENGTH": "9", "CONTENT_TYPE": "application/json"}
    response = client.request(REQUEST_METHOD="POST", PATH_INFO="/api/order", **sent)
    assert (response.status_code, response.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("path", ["/api/nowhere", "/api/guarded", "/api/drf/bug", "/nowhere"])
def test_head_is_answered_as_get_without_the_body(client: Client, path: str) -> None:
    head, whole = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]
    assert head.headers.get("Content-Length", "") == whole.headers.get("Content-Length", "")


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


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 200),
        ({"content-type": "Application/JSON; charset=UTF-8"}, 200),
        ({"content-type": 'application/json;charset="utf-8"'}, 200),
        ({"content-type": "application/json", "content-encoding": "identity"}, 200),
        ({"content-type": "*/*"}, 415),
        ({"content-type": "application/*"}, 415),
        ({"content-type": "application/json; charset=utf-16"}, 415),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
    ],
)
def test_a_body_is_json_in_utf_8_and_says_so(
    client: Client, headers: dict[str, str], status: int
) -> None:
    kind = headers.pop("content-type")
    body = json.dumps({"token": "none"})
    response = client.post("/api/v1/auth/token/revoke", body, content_type=kind, headers=headers)
    assert response.status_code == status, response.content
