"""Which sessions have ended, told to the store as well, for the hour when the database is away.

The database decides, on each request. Only ends are told here, never that something is alive: so
what is found is true, whatever was lost on the way, and what is missing means nothing. Nothing here
may fail a caller, because without the store everything works.
"""

import logging
from collections.abc import Collection

import redis

from . import store
from .conf import conf
from .tokens import SKEW

logger = logging.getLogger(__name__)


def announce(sessions: Collection[str]) -> None:
    """After the commit: these have ended. Told for as long as any access token of theirs lives."""
    client = store.client()
    if client is None or not sessions:
        return
    lifetime = conf().access_lifetime + SKEW
    try:
        with client.pipeline(transaction=False) as pipe:
            for session in sessions:
                pipe.set(_key(session), 1, ex=lifetime)
            pipe.execute()
    except redis.RedisError as error:
        logger.warning("the end of %s sessions is in the database only: %s", len(sessions), error)


def has_ended(session: str) -> bool:
    """As far as the store knows, if it answers."""
    client = store.client()
    try:
        return client is not None and bool(client.exists(_key(session)))
    except redis.RedisError:
        return False


def reachable() -> bool:
    """False while there is a store and it does not answer."""
    client = store.client()
    try:
        return client is None or bool(client.ping())
    except redis.RedisError:
        return False


def _key(session: str) -> str:
    # The tag keeps all of them on the one node that this alias talks to in a cluster.
    return f"{{accounts}}:ended:{session}"
