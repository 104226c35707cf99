"""What a query may hold is known before anybody looks at it."""

from typing import Any

import pytest
from django.test import Client
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator

from config.queries import NAMES


def operations() -> list[tuple[str, str, set[str]]]:
    """Method, path and names in the query, of all that is documented."""
    paths: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return [
        (method, path, {one["name"] for one in told.get("parameters", []) if one["in"] == "query"})
        for path, methods in paths.items()
        if path.startswith("/api/v1/")
        for method, told in methods.items()
    ]


def test_the_names_are_those_of_the_schema() -> None:
    told = {
        resolve(path.replace("{", "").replace("}", "")).view_name: names
        for method, path, names in operations()
        if names
    }
    assert told == NAMES
    assert {method for method, _, names in operations() if names} == {"get"}


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("limit=2&limit=3", [("limit", "repeated")]),
        ("limit=x&limit=2&state=open&state=open", [("limit", "repeated"), ("state", "repeated")]),
        ("access_token=s&limit=2", [("access_token", "unknown")]),
        *[(f"limit={odd}", [("limit", "invalid")])
          for odd in ("+5", "5%20", "5.0", "1_0", "%D9%A5", "%EF%BC%95", "%C2%B2", "--1")],
        ("%00=1&%ff=", [("\0", "unknown"), ("\ufffd", "unknown")]),
    ],
)  # fmt: skip
def test_what_is_odd_is_refused_by_name(
    client: Client, query: str, faults: list[tuple[str, str]]
) -> None:
    response = client.get(f"/api/v1/breakers?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    errors = response.json()["errors"]
    assert [(error["field"], error["code"]) for error in errors] == faults


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "auth/me"), ("POST", "generations"), ("POST", "auth/token"),
        ("DELETE", "auth/sessions/x"), ("GET", "breakers/x"), ("PATCH", "breakers/x/config"),
    ],
)  # fmt: skip
def test_what_has_no_query_refuses_any(client: Client, method: str, path: str) -> None:
    response = client.generic(method, f"/api/v1/{path}?limit=2")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "limit")


@pytest.mark.parametrize("name", ["version", "format", "lang"])
def test_the_document_is_the_same_whoever_asks(client: Client, name: str) -> None:
    response = client.get(f"/api/schema?{name}=%0d%0aX-Evil:1")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, name)
    first, second = client.get("/api/schema"), client.get("/api/schema")
    assert first.content == second.content
    assert first.headers["Content-Type"] == second.headers["Content-Type"]
    assert first.headers["Content-Type"].startswith("application/vnd.oai.openapi")
    other = client.get("/api/schema", headers={"accept": "application/json"})
    assert other.json()["openapi"].startswith("3.1")


def test_of_a_thousand_odd_names_some_are_told(client: Client) -> None:
    query = "&".join(f"name{number}{'x' * 500}=1" for number in range(900))
    errors = client.get(f"/api/v1/locks?{query}").json()["errors"]
    assert len(errors) == 50
    assert all(len(error["field"]) == 100 for error in errors)
