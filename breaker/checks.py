from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from .conf import POLICY_KEYS, conf
from .errors import PolicyError

TYPES = {"cache": str, "namespace": str, "host": str, "history": bool}


@register
def check_settings(**_: object) -> list[CheckMessage]:
    given = {key.lower(): value for key, value in getattr(settings, "BREAKER", {}).items()}
    return _misspelt(given) or _mistyped(given) or _contradictory() or _unshared(given)


def _misspelt(given: dict[str, Any]) -> list[CheckMessage]:
    return [
        Error(f"BREAKER[{key.upper()!r}] is not a setting of breaker.", id="breaker.E001")
        for key in given.keys() - POLICY_KEYS - TYPES.keys()
    ]


def _mistyped(given: dict[str, Any]) -> list[CheckMessage]:
    return [
        Error(f"BREAKER[{key.upper()!r}] must be a {TYPES[key].__name__}.", id="breaker.E002")
        for key in given.keys() & TYPES.keys()
        if not isinstance(given[key], TYPES[key])
    ]


def _contradictory() -> list[CheckMessage]:
    try:
        conf()
    except PolicyError as error:
        return [Error(f"BREAKER: {error}", id="breaker.E003")]
    return []


def _unshared(given: dict[str, Any]) -> list[CheckMessage]:
    alias = given.get("cache", "default")
    backend = settings.CACHES.get(alias, {}).get("BACKEND", "")
    if alias not in settings.CACHES:
        return [Error(f"BREAKER['CACHE']: CACHES has no {alias!r}.", id="breaker.E004")]
    if backend.startswith("django_redis."):
        return []
    return [
        Warning(
            f"BREAKER['CACHE']: the cache {alias!r} is not a django-redis cache.",
            hint="Each process keeps circuits of its own until it is.",
            id="breaker.W001",
        )
    ]
