"""System checks of ``HEALTH["ALERTS"]``, with the ids of the other settings of health."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error, register

from health.conf import AlertSettings, conf
from health.tokens import SHA256_HEX

from .rules import RULES

KEYS = [field.name.upper() for field in fields(AlertSettings)]
SECONDS = ("GROUP_SECONDS", "REMIND_SECONDS", "FLOOR_SECONDS")
TYPES: dict[str, tuple[type, ...]] = {
    "WEBHOOK_URL": (str,),
    "WEBHOOK_SECRET": (str,),
    "EMAILS": (list, tuple),
    "WAITS": (dict,),
    **dict.fromkeys(SECONDS, (int, float)),
    "RUNBOOK": (str,),
    "HOOK_TOKENS": (list, tuple),
}


@register()
def check_alerts(**kwargs: Any) -> list[CheckMessage]:
    try:
        values = conf().alerts
    except TypeError:  # a misspelt key, which has an error of its own
        return []
    return list(_wrong_values(values)) if isinstance(values, dict) else []


def _wrong_values(values: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for key, value in values.items():
        if key not in TYPES:
            known = f"Known: {', '.join(KEYS)}."
            yield _wrong(key, "there is no such setting", number=1, hint=known)
        elif not isinstance(value, TYPES[key]):
            yield _wrong(key, f"may not be of type {type(value).__name__}")
        else:
            yield from _wrong_value(key, value)


def _wrong_value(key: str, value: Any) -> Iterator[CheckMessage]:
    """Neither an address nor a secret is repeated: it may be what must not be told."""
    match key:
        case "WEBHOOK_URL" if value and not _is_web(value):
            yield _wrong(key, "is no address such as https://alerts.example/hook")
        case "EMAILS" if not all("@" in str(one) for one in value):
            yield _wrong(key, "holds what is no mail address")
        case "WAITS":
            yield from _wrong_waits(value)
        case "HOOK_TOKENS" if not all(SHA256_HEX.fullmatch(str(one)) for one in value):
            yield _wrong(key, "holds what is no SHA-256 hex digest", number=4)
        case _ if key in SECONDS and value < 0:
            yield _wrong(key, "must not be negative")


def _wrong_waits(waits: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for alert, seconds in waits.items():
        if alert not in RULES:
            hint = f"Known: {', '.join(RULES)}."
            yield _wrong("WAITS", f"there is no alert {alert!r}", number=5, hint=hint)
        elif not isinstance(seconds, int | float) or seconds < 0:
            yield _wrong("WAITS", f"{alert!r} must be a number of seconds, 0 or more")


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _wrong(key: str, what: str, *, number: int = 2, hint: str = "") -> Error:
    name = f"HEALTH['ALERTS'][{key!r}]"
    return Error(f"{name}: {what}.", hint=hint or None, id=f"health.E{number:03d}")
