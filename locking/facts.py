"""What can be found out about the store that keeps the locks."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import redis
from django.conf import settings
from django_redis import get_redis_connection
from redis.connection import parse_url

from . import control
from .conf import conf
from .durations import lease_seconds
from .errors import LockUnavailable

T = TypeVar("T")

# Seconds in which a message must arrive.
NEWS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """None where the server does not let us look, as managed ones do.

    ``sharing`` names the caches in the same database, ``offset`` is the store's clock less ours in
    seconds, ``servers`` holds the run id of each server that connections reached, ``ports`` are the
    port asked for and the one that answered, ``heard`` tells whether a message arrived.
    """

    info: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, str] | None = None
    alias: str = "locks"
    sharing: tuple[str, ...] = ()
    offset: float = 0.0
    servers: frozenset[str] = frozenset()
    ports: tuple[int, int] | None = None
    timeout: float | None = 1.0
    lease: float = 30.0
    heard: bool | None = True
    grants: bool = True


def gather() -> Facts:
    """Of a cluster, that of the node where the cache's own keys are. Raises RedisError when the
    store is out of reach.
    """
    alias = conf().cache
    client = get_redis_connection(alias)
    client.ping()
    return Facts(
        info=_permitted(client.info) or {},
        config=_permitted(lambda: client.config_get("*")),
        alias=alias,
        sharing=tuple(_sharing(alias)),
        offset=_offset(client),
        servers=frozenset(_servers(client)),
        ports=_ports(client),
        timeout=client.connection_pool.connection_kwargs.get("socket_timeout"),
        lease=lease_seconds(conf().lease),
        heard=_permitted(lambda: _hears(client)),
        grants=_grants(),
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


def _servers(client: Any) -> Iterator[str]:
    with client.client() as one, client.client() as other:
        for connection in (one, other):
            if info := _permitted(partial(connection.info, "server")):
                yield info["run_id"]


def _ports(client: Any) -> tuple[int, int] | None:
    asked = client.connection_pool.connection_kwargs.get("port")
    seen = _permitted(client.client_info)
    if asked is None or not seen or "laddr" not in seen:
        return None
    return int(asked), int(str(seen["laddr"]).rpartition(":")[2])


def _hears(client: Any) -> bool:
    channel = f"{conf().prefix}:c:{os.urandom(8).hex()}"
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(channel)
        listener.get_message(timeout=NEWS)
        client.publish(channel, "")
        return listener.get_message(timeout=NEWS) is not None


def _grants() -> bool:
    try:
        control.probe()
    except LockUnavailable:
        return False
    return True
