"""What can be found out about the store that keeps the circuits."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from secrets import token_hex
from typing import Any, TypeVar

import redis
from django.conf import settings
from django.db import Error, connections
from django.db.migrations.executor import MigrationExecutor
from django_redis import get_redis_connection
from redis.connection import parse_url

from . import coded, configs
from .conf import conf
from .rows import alias_of_rows, configurations, has_row, remembered_names
from .shared import SharedStore
from .window import Tally

T = TypeVar("T")
NEWS = 2.0
"""Seconds in which a message must arrive."""


class Rows(StrEnum):
    """What became of them in the database."""

    KEPT = "kept"
    UNWANTED = "unwanted"
    """By the setting."""
    UNMIGRATED = "unmigrated"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """None where the server does not let us look, as managed ones do."""

    info: Mapping[str, Any] = field(default_factory=dict)
    alias: str = "breaker"
    sharing: tuple[str, ...] = ()
    """The caches in the same database."""
    offset: float = 0.0
    """The store's clock less ours, in seconds."""
    timeout: float | None = 0.05
    heard: bool | None = True
    """Whether a message arrived."""
    counts: bool = True
    """Whether a call could be counted."""
    rows: Rows = Rows.KEPT
    unmatched: tuple[str, ...] = ()
    """Patterns of configurations that no circuit known here has a name like."""


def gather() -> Facts:
    """Raises RedisError when the store is out of reach."""
    alias = conf().cache
    client = get_redis_connection(alias)
    client.ping()
    rows = _rows() if conf().history else Rows.UNWANTED
    return Facts(
        info=_permitted(client.info) or {},
        alias=alias,
        sharing=tuple(_sharing(alias)),
        offset=_offset(client),
        timeout=client.connection_pool.connection_kwargs.get("socket_timeout"),
        heard=_permitted(lambda: _hears(client)),
        counts=_permitted(lambda: _counts(client)) is not None,
        rows=rows,
        unmatched=tuple(_unmatched()) if rows is Rows.KEPT else (),
    )


def _permitted(ask: Callable[[], T]) -> T | None:
    """None for a refusal; a store that fell silent meanwhile still raises."""
    try:
        return ask()
    except redis.ResponseError:
        return None


def _sharing(alias: str) -> Iterator[str]:
    mine = _place(settings.CACHES[alias])
    for other, cache in settings.CACHES.items():
        if other != alias and "edis" in cache["BACKEND"] and _place(cache) == mine:
            yield other


def _place(cache: Mapping[str, Any]) -> Mapping[str, Any]:
    """Server and database, which ``clear()`` empties, and what else tells caches apart."""
    location = cache["LOCATION"]
    first = location.split(",")[0] if isinstance(location, str) else location[0]
    found = parse_url(first)  # type: ignore[no-untyped-call]
    told = {name: found[name] for name in found if name not in ("username", "password")}
    return {"port": 6379, "db": 0} | told


def _offset(client: Any) -> float:
    before = time.time()
    seconds, micros = client.time()
    after = time.time()
    return float(seconds + micros / 1e6 - (before + after) / 2)


def _hears(client: Any) -> bool:
    channel = SharedStore(client, namespace=conf().namespace).channel
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(channel)
        listener.get_message(timeout=NEWS)
        # No circuit has an empty name, so nobody looks anything up for it.
        client.publish(channel, "")
        return listener.get_message(timeout=NEWS) is not None


def _counts(client: Any) -> bool:
    """Count a call of a circuit that nobody else knows, and forget it."""
    store = SharedStore(client, namespace=conf().namespace)
    name = f"breaker:doctor:{token_hex(8)}"
    store.record(name, conf().policy, Tally(ok=1), epoch=0)
    store.erase(name)
    return True


def _unmatched() -> list[str]:
    return configs.unmatched({*coded.all_names(), *remembered_names()})


def _rows() -> Rows:
    try:
        if _is_migrated():
            has_row("")
            configurations()
            return Rows.KEPT
    except Error:
        return Rows.UNREADABLE
    return Rows.UNMIGRATED


def _is_migrated() -> bool:
    executor = MigrationExecutor(connections[alias_of_rows()])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes("breaker"))
