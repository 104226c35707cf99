"""One ``REDIS_URL`` becomes the four cache aliases of the project.

Each alias has a database of its own because ``cache.clear()`` is FLUSHDB: clearing the cache
must never release a lock, close a circuit or forget a revocation. A cluster has only one database;
there prefixes keep the aliases apart, and ``clear()`` deletes by prefix.
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.cluster import NotServedHere, SlotConnection

# Seconds to wait for a reply. A breaker must not cost what it guards against, hence its 50 ms.
TIMEOUTS = {"default": 0.5, "locks": 1.0, "breaker": 0.05, "accounts": 0.3}
# In a cluster, what all keys of an alias have in common; the breaker calls it its namespace, and
# locks are tagged one by one.
TAGS = {"default": "cache", "locks": "locks", "breaker": "breaker", "accounts": "accounts"}
# Of the aliases whose scripts count: asked twice, they would count twice.
ASKED_ONCE = {"breaker"}
# As many threads as may want a trial at one instant. Whoever finds no connection would have to
# take the store for lost.
CONNECTIONS = 10_000
SEVERAL_HOSTS = {"redis+sentinel", "redis+cluster"}


def caches(url: str) -> dict[str, dict[str, Any]]:
    """The ``CACHES`` setting for a ``redis``, ``rediss``, ``unix``, ``redis+sentinel`` or
    ``redis+cluster`` URL."""
    return {
        alias: _alias(url, index, timeout, TAGS[alias], once=alias in ASKED_ONCE)
        for index, (alias, timeout) in enumerate(TIMEOUTS.items())
    }


def _alias(url: str, index: int, timeout: float, tag: str, *, once: bool) -> dict[str, Any]:
    prefix = "cache"
    options: dict[str, Any] = {
        "SOCKET_TIMEOUT": timeout,
        "SOCKET_CONNECT_TIMEOUT": max(timeout, 0.1),
        # Once more, and only when a pooled connection turned out dead: a time-out is an answer.
        # Or only when the node did not even try.
        "CONNECTION_POOL_KWARGS": {
            "retry": Retry(
                NoBackoff(), 1, supported_errors=(NotServedHere if once else redis.ConnectionError,)
            ),
        },
    }
    if once:
        options["CONNECTION_POOL_KWARGS"]["max_connections"] = CONNECTIONS
    try:
        _ = urlsplit(url).scheme in SEVERAL_HOSTS or urlsplit(url).port
    except ValueError as error:
        raise ImproperlyConfigured(f"REDIS_URL: {error}") from None
    match urlsplit(url).scheme:
        case "redis" | "rediss":
            location = _numbered(url, index)
        case "unix":
            location = _numbered_socket(url, index)
        case "redis+sentinel":
            location = _sentinel(url, index, options)
        case "redis+cluster":
            location, prefix = _cluster(url, tag, options), f"{{{tag}}}"
        case scheme:
            raise ImproperlyConfigured(f"REDIS_URL: unknown scheme {scheme!r}")
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": location,
        "KEY_PREFIX": prefix,
        "OPTIONS": options,
    }


def _number(text: str) -> int:
    try:
        return int(text or 0)
    except ValueError:
        raise ImproperlyConfigured(f"REDIS_URL: database {text!r} is not a number") from None


def _numbered(url: str, index: int) -> str:
    parts = urlsplit(url)
    database = _number(parts.path.strip("/")) + index
    return urlunsplit(parts._replace(path=f"/{database}"))


def _numbered_socket(url: str, index: int) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    query["db"] = str(_number(query.get("db", "")) + index)
    return f"unix://{parts.netloc}{parts.path}?{urlencode(query)}"


def _sentinel(url: str, index: int, options: dict[str, Any]) -> str:
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    credentials, _, hosts = parts.netloc.rpartition("@")
    if not service:
        raise ImproperlyConfigured("REDIS_URL: redis+sentinel://host:port,…/service/db")
    options["CLIENT_CLASS"] = "django_redis.client.SentinelClient"
    options["CONNECTION_FACTORY"] = "django_redis.pool.SentinelConnectionFactory"
    options["SENTINELS"] = [_host_port(host) for host in hosts.split(",")]
    at = f"{credentials}@" if credentials else ""
    return f"redis://{at}{service}/{_number(database) + index}"


def _cluster(url: str, tag: str, options: dict[str, Any]) -> str:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    if parts.path.strip("/") not in ("", "0"):
        raise ImproperlyConfigured("REDIS_URL: a cluster has no database but 0")
    seeds = [_host_port(host) for host in hosts.split(",")]
    options["CLIENT_CLASS"] = "config.cluster.ClusterClient"
    options["CLUSTER"] = tuple(seeds)
    options["CONNECTION_POOL_KWARGS"] |= {
        "connection_class": SlotConnection,
        "cluster_seeds": seeds,
    }
    at = f"{credentials}@" if credentials else ""
    return f"redis://{at}{hosts.split(',')[0]}/0?cluster_tag={tag}"


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise ImproperlyConfigured(f"REDIS_URL: {text!r} is not host:port")
    return host.strip("[]"), int(port)
