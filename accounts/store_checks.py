"""Whether the cache and the database can hold what accounts entrust to them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.cache import DEFAULT_CACHE_ALIAS
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connection

from . import reencryption

# As psycopg numbers it, which need not be installed.
READ_COMMITTED = 2


@register(Tags.caches)
def check_cache(**_: Any) -> list[CheckMessage]:
    """What can be seen without talking to a server; ``accounts doctor`` looks at the rest."""
    alias = getattr(settings, "ACCOUNTS", {}).get("CACHE", DEFAULT_CACHE_ALIAS)
    cache = settings.CACHES.get(alias, {})
    if not cache.get("BACKEND", "").startswith("django_redis."):
        return [
            Warning(
                f"ACCOUNTS['CACHE']: the cache {alias!r} is not a django-redis cache.",
                hint="What was revoked is then known to the database only.",
                id="accounts.W004",
            )
        ]
    return [*_swallows(alias, cache), *_is_shared(alias, cache)]


def _swallows(alias: str, cache: Mapping[str, Any]) -> Iterator[CheckMessage]:
    everywhere = getattr(settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", False)
    if cache.get("OPTIONS", {}).get("IGNORE_EXCEPTIONS", everywhere):
        yield Error(
            f"ACCOUNTS['CACHE']: the cache {alias!r} swallows errors.",
            hint="A server that is down would look like one that has counted and knows nothing."
            " Set its OPTIONS['IGNORE_EXCEPTIONS'] to False.",
            id="accounts.E004",
        )


def _is_shared(alias: str, cache: Mapping[str, Any]) -> Iterator[CheckMessage]:
    # In a cluster all have one database, and prefixes keep them apart.
    place = cache.get("LOCATION"), cache.get("KEY_PREFIX")
    others = [
        name
        for name, other in settings.CACHES.items()
        if name != alias and (other.get("LOCATION"), other.get("KEY_PREFIX")) == place
    ]
    if alias == DEFAULT_CACHE_ALIAS or others:
        yield Warning(
            f"ACCOUNTS['CACHE']: the cache {alias!r} is used for other things as well.",
            hint="A cache is cleared, or full, and forgets what was revoked. Give accounts one"
            " with a database of its own.",
            id="accounts.W005",
        )


@register(Tags.database)
def check_transactions(**_: Any) -> Iterator[CheckMessage]:
    options = connection.settings_dict["OPTIONS"]
    match connection.vendor:
        case "sqlite" if options.get("transaction_mode") != "IMMEDIATE":
            yield Warning(
                "SQLite transactions are deferred: parallel refreshes fail with 'database is"
                " locked'.",
                hint="Set OPTIONS['transaction_mode'] to 'IMMEDIATE' for the default database.",
                id="accounts.W003",
            )
        case "postgresql" if options.get("isolation_level", READ_COMMITTED) != READ_COMMITTED:
            yield Warning(
                "The isolation level is not READ COMMITTED: of parallel refreshes and logins all"
                " but one fail with 'could not serialize access'.",
                hint="Take OPTIONS['isolation_level'] out for the default database.",
                id="accounts.W008",
            )


@register(Tags.database)
def check_encryption_keys(
    *, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Every key that something is sealed with must be at hand."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    tables = set(connection.introspection.table_names())
    if not {column.model._meta.db_table for column in reencryption.columns()} <= tables:
        return []
    return [
        Error(
            f"{use.total} values are sealed with key {use.kid}, which is not in the ring.",
            hint="Put it back at the end of ACCOUNTS['ENCRYPTION_KEYS'], then run"
            " `manage.py accounts reencrypt`.",
            id="accounts.E003",
        )
        for use in reencryption.report()
        if not use.in_ring
    ]
