from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from .bounds import whole
from .conf import POLICY_KEYS, Settings, parsed, spelt
from .errors import PolicyError
from .options import check_values

OWN_KEYS = {field.name for field in fields(Settings)} - {"policy"}
TEXTS = {"cache": 255, "namespace": 255, "host": 255}
"""And how long they may be."""


@register
def check_settings(**_: object) -> list[CheckMessage]:
    try:
        given = spelt(getattr(settings, "BREAKER", {}))
    except TypeError as error:
        return [Error(str(error), id="breaker.E002")]
    wrong = [*_misspelt(given), *_wrong(given), *_impossible(given)]
    return wrong or [*_contradictory(given), *_unshared(given)]


def _misspelt(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for key in sorted(given.keys() - POLICY_KEYS - OWN_KEYS):
        yield Error(f"BREAKER[{key.upper()!r}] is not a setting of breaker.", id="breaker.E001")


def _wrong(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for key in sorted(given.keys() & OWN_KEYS):
        try:
            _check(key, given[key])
        except PolicyError as error:
            yield Error(f"BREAKER[{key.upper()!r}]: {error}", id="breaker.E002")


def _check(key: str, value: Any) -> None:
    """Raises PolicyError."""
    match key:
        case "history" | "error_detail":
            if type(value) is not bool:
                raise PolicyError(f"{key} must be true or false, not {value!r}.")
        case "max_keyed":
            whole(key, value)
        case _:
            _check_text(key, value)


def _check_text(key: str, value: Any) -> None:
    if type(value) is not str or not 1 <= len(value) <= TEXTS[key] or not value.isprintable():
        raise PolicyError(f"{key} must be a text of 1 to {TEXTS[key]} characters, not {value!r}.")
    if key == "namespace" and set(value) & set("{}"):
        raise PolicyError("namespace must be without braces: Redis Cluster gives them a meaning.")


def _impossible(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for key in sorted(given.keys() & POLICY_KEYS):
        try:
            check_values({key: given[key]})
        except PolicyError as error:
            yield Error(f"BREAKER[{key.upper()!r}]: {error}", id="breaker.E003")


def _contradictory(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    try:
        parsed(given)
    except PolicyError as error:
        keys = [key.upper() for key in sorted(POLICY_KEYS) if key in str(error)]
        yield Error(f"BREAKER, {' and '.join(keys)}: {error}", id="breaker.E003")


def _unshared(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    alias = given.get("cache", "default")
    backend = settings.CACHES.get(alias, {}).get("BACKEND", "")
    if alias not in settings.CACHES:
        yield Error(f"BREAKER['CACHE']: CACHES has no {alias!r}.", id="breaker.E004")
    elif not backend.startswith("django_redis."):
        yield Warning(
            f"BREAKER['CACHE']: the cache {alias!r} is not a django-redis cache.",
            hint="Each process keeps circuits of its own until it is.",
            id="breaker.W001",
        )
    elif not _is_hurried(settings.CACHES[alias]):
        yield Warning(
            f"BREAKER['CACHE']: the cache {alias!r} has no SOCKET_TIMEOUT.",
            hint="So long callers wait for a server that hangs: give it 0.05 seconds or so.",
            id="breaker.W002",
        )


def _is_hurried(cache: Mapping[str, Any]) -> bool:
    """Whether it is said somewhere how long a silent server is waited for."""
    options = cache.get("OPTIONS", {})
    given = options.get("SOCKET_TIMEOUT") or (
        options.get("CONNECTION_POOL_KWARGS", {}).get("socket_timeout")
    )
    return bool(given) or "socket_timeout=" in str(cache.get("LOCATION"))
