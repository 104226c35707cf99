import re
from collections.abc import Iterator
from dataclasses import fields
from math import inf
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from .conf import Settings

LOCATION = re.compile(r"[a-z0-9-]{1,40}")
MODEL = re.compile(r"[a-z0-9.-]{1,64}")


@register
def google_settings(**_: object) -> list[CheckMessage]:
    given = getattr(settings, "GOOGLE_AI", {})
    if not isinstance(given, dict):
        return [Error("GOOGLE_AI must be a dict.", id="google.E002")]
    return list(_problems(given))


def _problems(given: dict[str, Any]) -> Iterator[CheckMessage]:
    known = {field.name.upper() for field in fields(Settings)}
    for key, value in given.items():
        if key not in known:
            yield Error(
                f"GOOGLE_AI has no setting {key!r}.",
                hint=f"It knows {', '.join(sorted(known))}.",
                id="google.E001",
            )
        elif wrong := _wrong(key, value):
            yield Error(f"GOOGLE_AI[{key!r}] {wrong}.", id="google.E002")


def _wrong(key: str, value: Any) -> str | None:
    match key, value:
        case "PROJECT", str():
            return None
        case "PROJECT", _:
            return "must be a string"
        case "LOCATION", str() if LOCATION.fullmatch(value):
            return None
        case "LOCATION", _:
            return "must be a region such as us-central1"
        case "SIMULATOR_PORT", bool():
            return "must be a port number or 0"
        case "SIMULATOR_PORT", int() if 0 <= value <= 65535:
            return None
        case "SIMULATOR_PORT", _:
            return "must be a port number or 0"
        case "HEADERS", _:
            return None if callable(value) else "must be a function that returns headers"
    if key.endswith("_MODELS"):
        return None if _are_models(value) else "must list one or more model names"
    return None if _are_seconds(value) else "must be a number of seconds above 0"


def _are_models(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(name, str) and MODEL.fullmatch(name) for name in value)
    )


def _are_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < inf
