"""What all operations share in the OpenAPI document: each error that may come, with its codes."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from config import queries
from config.examples import ANSWERS, BODIES
from config.operations import RAISED
from config.problems import CODES, MEDIA_TYPE

Json = dict[str, Any]

PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457. Clients decide on `code`.",
    "required": ["type", "title", "status", "code", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "Of the status."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "enum": list(CODES)},
        "detail": {"type": "string", "description": "For people; its words may change."},
        "instance": {"type": "string", "format": "uri-reference"},
        "retry_after": {
            "type": "number",
            "minimum": 0,
            "description": "Seconds; rounded up in Retry-After.",
        },
        "errors": {
            "type": "array",
            "description": "With `invalid`: what is wrong, field by field.",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {
                    "field": {"type": "string", "description": "A dotted path; empty for all."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
HEADERS: Json = {
    "X-Request-ID": {
        "description": "Names this request in the logs: the one sent along, or one made up.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "Retry-After": {
        "description": "Seconds after which to try again, where that is known.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Policy": {
        "description": "How many requests in how many seconds.",
        "schema": {"type": "string"},
        "example": '"user";q=3000;w=60',
    },
    "RateLimit": {
        "description": "Of the limit that is nearest: requests left and seconds until there are "
        "more (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "The scheme to use.",
        "required": True,
        "schema": {"type": "string"},
    },
}
# Limits that hold, and that drf-spectacular does not find.
PARAMETERS: Json = {
    "cursor": {"minLength": 1, "maxLength": 500},
    "limit": {"minimum": 1, "maximum": 200},
    "Idempotency-Key": {"pattern": "^[!-~]{1,200}$"},
}
TOKEN_CODES = ("not_authenticated", "token_expired", "token_invalid", "token_revoked")
# Of messages whose shape is somebody else's, who may add to it.
FOREIGN = ("AlertmanagerMessageRequest", "AlertmanagerAlertRequest")


def add_problems(result: Json, **_: Any) -> Json:
    """A postprocessing hook of drf-spectacular."""
    components = result["components"]
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["headers"] = HEADERS
    for name, schema in components["schemas"].items():
        if name.endswith("Request") and name not in FOREIGN:
            schema["additionalProperties"] = False
        if name.startswith("Paginated"):
            _complete_page(schema)
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path, method)
    return result


def _complete_page(schema: Json) -> None:
    """DRF writes its pages as OpenAPI 3.0 had it."""
    link = {"type": ["string", "null"], "format": "uri"}
    schema["properties"] |= {"next": link, "previous": link}
    schema["required"] = ["results", "next", "previous"]


def _complete(operation: Json, path: str, method: str) -> None:
    if example := BODIES.get(operation["operationId"]):
        operation["requestBody"]["content"]["application/json"]["example"] = example
    for response in operation["responses"].values():
        if content := response.get("content", {}).get("application/json"):
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            content["example"] = ANSWERS.get(name, {})
    for parameter in operation.get("parameters", ()):
        parameter["schema"] |= PARAMETERS.get(parameter["name"], {})
    codes: dict[int, set[str]] = {}
    for status, code in (*_general(operation, method, path), *_own(operation)):
        codes.setdefault(status, set()).add(code)
    for response in operation["responses"].values():
        response.setdefault("headers", {}).update({name: _header(name) for name in _always(path)})
    operation["responses"] |= {
        str(status): _answer(status, sorted(codes[status]), path) for status in sorted(codes)
    }


def _own(operation: Json) -> Iterator[tuple[int, str]]:
    for error in RAISED.get(operation["operationId"], ()):
        yield error.status, error.code


def _general(operation: Json, method: str, path: str) -> Iterator[tuple[int, str]]:
    """By what the operation takes, and whom it lets in."""
    schemes = {name for way in operation.get("security", ()) for name in way}
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    yield 400, "malformed"
    if path.startswith(queries.PLACES):
        yield 400, "invalid"
    if schemes:
        # The token of a machine stays what it is.
        codes = ("not_authenticated", "token_invalid") if schemes == {"hook"} else TOKEN_CODES
        yield from ((401, code) for code in codes)
    if "signature" in schemes:
        yield 401, "signature_invalid"
        yield 403, "permission_denied"
        yield 503, "signatures_unavailable"
    if "path" in places:
        yield 404, "not_found"
    if method != "get":
        yield 411, "length_required"
    yield 413, "too_large"
    if method != "get":
        yield 415, "unsupported_media_type"
        yield 503, "server_unavailable"
    yield 431, "too_large"
    yield 429, "rate_limited"
    yield 500, "internal_error"
    yield 503, "database_unavailable"


def _answer(status: int, codes: list[str], path: str) -> Json:
    """The document of a problem, and an example of each code."""
    told = HTTPStatus(status)
    narrowed = {"properties": {"status": {"const": status}, "code": {"enum": codes}}}
    names = _always(path)
    if status in (409, 423, 429, 503):
        names.append("Retry-After")
    if status == 401:
        names.append("WWW-Authenticate")
    return {
        "description": f"{told.phrase}: {', '.join(f'`{code}`' for code in codes)}.",
        "headers": {name: _header(name) for name in names},
        "content": {
            MEDIA_TYPE: {
                "schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, narrowed]},
                "examples": {code: {"value": _example(told, code, path)} for code in codes},
            }
        },
    }


def _example(told: HTTPStatus, code: str, path: str) -> Json:
    return {
        "type": "about:blank",
        "title": told.phrase,
        "status": told.value,
        "code": code,
        "detail": told.description or told.phrase,
        "instance": path.replace("{", "").replace("}", ""),
    }


def _always(path: str) -> list[str]:
    """Headers of each answer."""
    counted = path.startswith("/api/v1/")
    return ["X-Request-ID", "RateLimit", "RateLimit-Policy"] if counted else ["X-Request-ID"]


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}
