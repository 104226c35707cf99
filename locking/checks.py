import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from . import durations, names
from .conf import Settings, conf
from .errors import LockInvalid


@register()
def check_settings(
    app_configs: Iterable[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if not isinstance(getattr(settings, "LOCKING", {}), dict):
        return [Error("LOCKING must be a dict.", id="locking.E002")]
    known = {field.name.upper() for field in fields(Settings)}
    unknown = sorted(getattr(settings, "LOCKING", {}).keys() - known)
    if unknown:
        hint = f"Known are {', '.join(sorted(known))}."
        return [Error(f"LOCKING has no {key!r}.", hint=hint, id="locking.E001") for key in unknown]
    return [*_check_values(conf()), *_check_cache(conf().cache), *_check_quarantine(conf())]


def _check_values(found: Settings) -> Iterable[CheckMessage]:
    tests: dict[str, Callable[[], object]] = {
        "LEASE": lambda: durations.lease_seconds(found.lease),
        "WAIT": lambda: durations.wait_seconds(found.wait),
        "MAX_HOLD": lambda: durations.seconds("max_hold", found.max_hold),
        "QUARANTINE": lambda: durations.seconds("quarantine", found.quarantine),
    }
    for key, test in tests.items():
        try:
            test()
        except LockInvalid as error:
            yield Error(f"LOCKING[{key!r}]: {error}", id="locking.E002")
    if type(found.prefix) is not str or not re.fullmatch(r"[^{}]+", found.prefix):
        yield Error("LOCKING['PREFIX']: must be text without braces.", id="locking.E002")

    if type(found.private) is not tuple or not all(map(_begins_names, found.private)):
        message = "LOCKING['PRIVATE']: must be a tuple of beginnings of names."
        yield Error(message, hint="Such as ('billing:',).", id="locking.E002")
    for key, number, least in (
        ("QUEUE_LIMIT", found.queue_limit, 1),
        ("HTTP_WAITERS", found.http_waiters, 0),
    ):
        if type(number) is not int or number < least:
            yield Error(f"LOCKING[{key!r}]: must be a number, {least} or more.", id="locking.E002")


def _begins_names(prefix: str) -> bool:
    """Names are compared in their one spelling."""
    try:
        return names.canonical(prefix) == prefix
    except LockInvalid:
        return False


def _check_cache(alias: str) -> Iterable[CheckMessage]:
    if alias not in settings.CACHES:
        yield Error(f"LOCKING['CACHE']: there is no cache {alias!r}.", id="locking.E003")
    elif not settings.CACHES[alias]["BACKEND"].startswith("django_redis."):
        yield Warning(
            f"LOCKING['CACHE']: {alias!r} is not a django-redis cache.",
            hint="Locks need Redis or Valkey.",
            id="locking.W001",
        )
    elif not _is_hurried(settings.CACHES[alias]):
        yield Warning(
            f"LOCKING['CACHE']: the cache {alias!r} has no SOCKET_TIMEOUT.",
            hint="A server that hangs may outlast leases before they are given up: "
            "give it a second or so.",
            id="locking.W002",
        )


def _is_hurried(cache: Mapping[str, Any]) -> bool:
    """Whether it is said somewhere how long a silent server is waited for."""
    options = cache.get("OPTIONS", {})
    given = options.get("SOCKET_TIMEOUT") or (
        options.get("CONNECTION_POOL_KWARGS", {}).get("socket_timeout")
    )
    return bool(given) or "socket_timeout=" in str(cache.get("LOCATION"))


def _check_quarantine(found: Settings) -> Iterable[CheckMessage]:
    if found.quarantine and settings.CACHES.get(found.cache, {}).get("OPTIONS", {}).get("CLUSTER"):
        yield Error(
            "LOCKING['QUARANTINE']: not in a cluster, whose nodes lose their data one by one.",
            id="locking.E004",
        )
