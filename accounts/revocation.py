"""Which sessions have ended, told to the store as well, for the hour when the database is away.

The database decides, on each request. Only ends are told here, never that something is alive: so
what is found is true, whatever was lost on the way, and what is missing means nothing. Nothing here
may fail a caller, because without the store everything works.
"""

import logging
from collections.abc import Collection
from typing import Any

import redis
from django_redis import get_redis_connection

from .conf import conf
from .tokens import SKEW

logger = logging.getLogger(__name__)


def announce(sessions: Collection[str]) -> None:
    """After the commit: these have ended. Told for as long as any access token of theirs lives."""
    store = _store()
    if store is None or not sessions:
        return
    lifetime = conf().access_lifetime + SKEW
    try:
        with store.pipeline(transaction=False) as pipe:
            for session in sessions:
                pipe.set(_key(session), 1, ex=lifetime)
            pipe.execute()
    except redis.RedisError as error:
        logger.warning("the end of %s sessions is in the database only: %s", len(sessions), error)


def has_ended(session: str) -> bool:
    """As far as the store knows, if it answers."""
    store = _store()
    try:
        return store is not None and bool(store.exists(_key(session)))
    except redis.RedisError:
        return False


def _key(session: str) -> str:
    # The tag keeps all of them on the one node that this alias talks to in a cluster.
    return f"{{accounts}}:ended:{session}"


def _store() -> Any | None:
    """None where the cache is not one of django-redis, which a check has warned of."""
    try:
        return get_redis_connection(conf().cache)
    except NotImplementedError:
        return None
