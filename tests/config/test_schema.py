import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import get_resolver
from jsonschema_rs import Draft202012Validator

from accounts.errors import AccountsError
from breaker.errors import BreakerError
from config.examples import ANSWERS, BODIES
from config.operations import RAISED
from config.problems import CODES, MEDIA_TYPE
from config.schema import FOREIGN
from locking.errors import LockError
from tests.conformance import check, document


def kinds(error: type[Exception]) -> Iterator[type[Exception]]:
    yield error
    for kind in error.__subclasses__():
        yield from kinds(kind)


@pytest.mark.parametrize("base", [AccountsError, BreakerError, LockError])
def test_every_code_of_a_domain_error_is_on_the_closed_list(base: type[Exception]) -> None:
    import breaker.contrib.google.errors

    assert breaker.contrib.google.errors.GenerationError in kinds(BreakerError)
    # With status 500 they are mistakes in the program, and answered as an internal error.
    codes = {kind.code for kind in kinds(base) if kind.status != 500}  # type: ignore[attr-defined]
    assert codes <= set(CODES)


def test_the_schema_is_valid_and_built_without_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    assert file.read_text().startswith("openapi: 3.1")


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def routes(patterns: list[Any], prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """Paths as the document writes them, and their views."""
    for pattern in patterns:
        path = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, path)
        else:
            yield path.replace("{pk}", "{id}"), pattern.callback


def test_every_route_and_method_is_in_the_document() -> None:
    outside = re.compile(r"/\Z|/admin/|/api/(schema|docs)\Z")
    found = {
        path: view for path, view in routes(get_resolver().url_patterns) if not outside.match(path)
    }
    assert set(document()["paths"]) == set(found)
    verbs = {"get", "post", "put", "patch", "delete"}
    for path, view in found.items():
        # The name of a circuit may end like another route, so these are read like any circuit.
        taken = {"get"} if path.startswith("/api/v1/breakers/{name}/") else set()
        written = set(document()["paths"][path])
        assert {verb for verb in verbs if hasattr(view.cls, verb)} - taken <= written, path
        assert all(hasattr(view.cls, verb) for verb in written), path


def test_an_operation_has_one_name_and_no_answer_without_a_description() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)
    assert RAISED.keys() | BODIES.keys() <= set(names)
    assert all("default" not in operation["responses"] for _, _, operation in operations())


def problems(operation: Any) -> Iterator[tuple[str, Any]]:
    for status, answer in operation["responses"].items():
        if MEDIA_TYPE in answer.get("content", {}):
            yield status, answer["content"][MEDIA_TYPE]


def test_every_code_is_documented_where_it_may_come() -> None:
    told = set()
    for method, path, operation in operations():
        for status, content in problems(operation):
            codes = content["schema"]["allOf"][1]["properties"]["code"]["enum"]
            told |= set(codes)
            assert set(content["examples"]) == set(codes), (method, path, status)
    # Of plain pages and files, of Python callers, of what becomes of a generation later.
    elsewhere = {"csrf_failed", "method_not_allowed", "range_not_satisfiable", "content_blocked"}
    assert set(CODES) - told == elsewhere


def test_every_example_is_one() -> None:
    components = document()["components"]
    told: set[str] = set()
    for method, path, operation in operations():
        shown = [
            (content["schema"], example["value"])
            for _, content in problems(operation)
            for example in content["examples"].values()
        ]
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            assert "example" in content, (method, path)
            shown.append((content["schema"], content["example"]))
        for answer in operation["responses"].values():
            if content := answer.get("content", {}).get("application/json"):
                shown.append((content["schema"], content["example"]))
                told |= {content["schema"].get("$ref", "").rpartition("/")[2]}
        for schema, value in shown:
            validator = Draft202012Validator({**schema, "components": components})
            assert not list(validator.iter_errors(value)), (method, path, value)
    assert told - {""} == set(ANSWERS)


def test_every_body_is_refused_with_a_field_that_nobody_knows() -> None:
    schemas = document()["components"]["schemas"]
    ours = schemas.keys() - set(FOREIGN)
    bodies = {name: schemas[name] for name in ours if name.endswith("Request")}
    assert len(bodies) > 12
    assert all(schema["additionalProperties"] is False for schema in bodies.values())


def test_both_ways_to_sign_in_are_explained() -> None:
    schemes = document()["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert "RFC 9421" in schemes["signature"]["description"]
    ways = [name for _, _, told in operations() for way in told["security"] for name in way]
    assert set(ways) == {"bearer", "signature", "hook"}


class Answer:
    def __init__(self, status: int, body: Any, **headers: str) -> None:
        self.status_code, self.body, self.content = status, body, b"x"
        self.headers = {"Content-Type": "application/json", "Allow": "GET"} | headers

    def json(self) -> Any:
        return self.body


PROBLEM = {
    "type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found",
    "detail": "There is nothing here.", "instance": "/api/v1/breakers/a/b",
}  # fmt: skip
SESSIONS = {"results": [], "next": None, "previous": None}


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        pytest.param("GET", "auth/sessions", Answer(200, {"results": []}), id="a field is missing"),
        pytest.param("GET", "auth/sessions", Answer(200, SESSIONS | {"next": 1}), id="a type"),
        pytest.param("GET", "auth/sessions", Answer(418, SESSIONS), id="a status"),
        pytest.param("GET", "auth/sessionss", Answer(200, SESSIONS), id="a path"),
        pytest.param("GET", "breakers/a/b", Answer(404, PROBLEM), id="a media type"),
        pytest.param("POST", "auth/logout", Answer(204, {}), id="a body"),
    ],
)
def test_an_answer_that_the_document_does_not_know_is_found(
    method: str, path: str, answer: Answer
) -> None:
    with pytest.raises(AssertionError):
        check(method, f"/api/v1/{path}", answer)


def test_an_answer_that_the_document_knows_is_none() -> None:
    problem = {"Content-Type": MEDIA_TYPE}
    check("GET", "/api/v1/auth/sessions", Answer(200, SESSIONS))
    check("HEAD", "/api/v1/auth/sessions", Answer(200, None))
    check("GET", "/api/v1/breakers/a/b", Answer(404, PROBLEM, **problem))
    with pytest.raises(AssertionError):
        check("GET", "/api/v1/breakers/a", Answer(404, PROBLEM | {"code": "invalid"}, **problem))
