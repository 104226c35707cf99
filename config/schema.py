"""What all operations share in the OpenAPI document: the shape of an error."""

from typing import Any

from config.problems import CODES, MEDIA_TYPE

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. Clients decide on `code`.",
    "required": ["type", "title", "status", "code", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": list(CODES)},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "retry_after": {"type": "number", "description": "Seconds; also in Retry-After."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {name: {"type": "string"} for name in ("field", "code", "detail")},
            },
        },
    },
}
ANSWER = {
    "description": "Any error",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"].setdefault("default", ANSWER)
    return result
