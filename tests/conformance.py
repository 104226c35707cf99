"""Whether an answer is one that the OpenAPI document speaks of: asked of every answer in the tests.

That is, of those below the root of the API that were given by URLs of the product.
"""

import re
from functools import cache
from typing import Any

import jsonschema_rs
from drf_spectacular.generators import SchemaGenerator

from config.problems import MEDIA_TYPE

ROOTS = ("/api/v1/", "/api/alerts/")
# Of requests that are none of the document's.
STRAY = {400, 401, 404, 411, 413, 429, 500, 503}
# Set around Django, where a test client does not see it.
OUTSIDE = {"X-Request-ID"}


@cache
def document() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


def check(method: str, path: str, answer: Any) -> None:
    """Raises AssertionError. ``answer`` has a status_code, headers and content."""
    if not path.startswith(ROOTS) or method in ("OPTIONS", "TRACE"):
        return
    case = f"{method} {path[:200]} -> {answer.status_code}"
    if answer.status_code == 405:
        assert answer.headers["Allow"], case
        return
    template = find("GET" if method == "HEAD" else method, path)
    if template is None:
        assert answer.status_code in STRAY, f"{case}: there is no such operation"
        return
    operation = document()["paths"][template][method.lower() if method != "HEAD" else "get"]
    told = operation["responses"].get(str(answer.status_code))
    assert told is not None, f"{case}: not documented"
    for name, header in told.get("headers", {}).items():
        required = resolved(header).get("required", False) and name not in OUTSIDE
        assert not required or name in answer.headers, f"{case}: without {name}"
    if method != "HEAD":
        _check_content(told.get("content", {}), answer, case)


def _check_content(content: Any, answer: Any, case: str) -> None:
    media_type = answer.headers.get("Content-Type", "").partition(";")[0]
    assert (media_type in content) or not (content or answer.content), f"{case}: {media_type}"
    if media_type in ("application/json", MEDIA_TYPE):
        schema = content[media_type].get("schema", {})
        faults = [fault.message for fault in _validator(Frozen(schema)).iter_errors(answer.json())]
        assert not faults, f"{case}: {faults}"


def find(method: str, path: str) -> str | None:
    """The template of the path that is the most specific of those that fit."""
    return next((one for one, whole in _templates(method) if whole.fullmatch(path)), None)


@cache
def _templates(method: str) -> list[tuple[str, re.Pattern[str]]]:
    # The name of a circuit may have slashes.
    patterns = {
        template: re.compile(
            re.escape(template)
            .replace(r"breakers/\{name\}", "breakers/.+")
            .replace(r"\{", "(?P<")
            .replace(r"\}", ">[^/]+)"),
            re.DOTALL,
        )
        for template, operations in document()["paths"].items()
        if method.lower() in operations
    }
    return sorted(patterns.items(), key=lambda item: (item[0].count("{"), -len(item[0])))


def resolved(part: Any) -> Any:
    while "$ref" in part:
        found = document()
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


class Frozen(dict[str, Any]):
    """A part of the document, which does not change."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(repr(self))


@cache
def _validator(schema: Frozen) -> jsonschema_rs.Draft202012Validator:
    whole = {**schema, "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
