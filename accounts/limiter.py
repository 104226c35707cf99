"""Counts who comes how often: in Redis by one script on its clock, else in the database.

Neither answering is an error. A limit that lets everybody pass while its store is down is what an
attacker would wait for.
"""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from math import floor
from typing import Any

import redis
from django.core.cache import caches
from django.db import connection
from django.db.models import F, QuerySet
from django.utils import timezone
from redis.commands.core import Script

from . import keys, store
from .conf import conf
from .durable import committed
from .errors import RateLimited
from .limits import Limit
from .models import RateWindow

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Slot:
    """A try that was let in, as it was counted."""

    member: str
    """Its name in Redis; empty if it was counted in the database."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Count:
    """What came of one try, and how it is with each limit after it. Durations are seconds."""

    wait: float
    """Until it is worth trying again; 0 if the try was let in."""
    left: Sequence[int]
    more_in: Sequence[float]
    """Until there is one more left."""


def take(limits: Sequence[Limit]) -> Slot:
    """Count one more try under all of these limits, or under none and raise RateLimited."""
    slot = Slot(secrets.token_urlsafe(12), timezone.now())
    if not limits:
        return slot
    if (client := store.client()) is not None:
        try:
            wait = take_in_redis(client, limits, slot.member).wait
        except redis.RedisError as error:
            logger.warning("Counting logins in the database, because of Redis: %r", error)
        else:
            if wait:
                raise RateLimited(retry_after=wait)
            return slot
    slot = Slot("", slot.at)
    committed(lambda: _take_in_database(limits, slot))
    return slot


def give_back(limits: Sequence[Limit], slot: Slot) -> None:
    """This one try no longer counts under these limits."""
    if not limits:
        return
    if not slot.member:
        committed(lambda: _return_to_database(limits, slot))
    elif (client := store.client()) is not None:
        try:
            for limit in limits:
                client.zrem(_key(limit), slot.member)
        except redis.RedisError as error:
            # It is forgotten with the window.
            logger.warning("Cannot give a try back: %r", error)


def take_in_redis(client: redis.Redis, limits: Sequence[Limit], member: str) -> Count:
    """Raises RedisError. ``member`` is this try's own name."""
    arguments: list[str | int] = [member]
    for limit in limits:
        arguments += [limit.tries, limit.window * 1_000_000]
    # A connection that broke is asked twice: the same member is counted once all the same.
    script = Script(client, _text())
    wait, *each = script(keys=[_key(limit) for limit in limits], args=arguments)
    return Count(wait / 1_000_000, each[::2], [more / 1_000_000 for more in each[1::2]])


@lru_cache
def _text() -> str:
    return (files(__package__) / "lua" / "take.lua").read_text()


def _key(limit: Limit) -> str:
    # In a cluster the prefix is a hash tag, and so brings all keys of a script together.
    return f"{caches[conf().cache].key_prefix}:limit:{_digest(limit)}"


def _digest(limit: Limit) -> str:
    return keys.digest("limit", limit.name, limit.subject)


# The two windows stand for a sliding one: of the one before, the share counts that would still be
# in sight. A host whose clock lags counts in the window that others have opened.
COUNT = """
    INSERT INTO {table} (digest, number, current, previous, expires_at)
    VALUES (%(digest)s, %(number)s, 1, 0, %(expires_at)s)
    ON CONFLICT (digest) DO UPDATE SET
        previous = CASE
            WHEN {table}.number >= %(number)s THEN {table}.previous
            WHEN {table}.number = %(number)s - 1 THEN {table}.current
            ELSE 0 END,
        current = CASE WHEN {table}.number >= %(number)s THEN {table}.current + 1 ELSE 1 END,
        number = CASE
            WHEN {table}.number >= %(number)s THEN {table}.number ELSE %(number)s END,
        expires_at = %(expires_at)s
    WHERE 1 + CASE
        WHEN {table}.number >= %(number)s
            THEN {table}.current + {table}.previous * %(share)s
        WHEN {table}.number = %(number)s - 1 THEN {table}.current * %(share)s
        ELSE 0 END <= %(tries)s
    RETURNING number
"""


def _take_in_database(limits: Sequence[Limit], slot: Slot) -> None:
    for taken, limit in enumerate(limits):
        if not _count(limit, slot.at):
            _return_to_database(limits[:taken], slot)
            raise RateLimited(retry_after=limit.window - slot.at.timestamp() % limit.window)


def _count(limit: Limit, now: datetime) -> bool:
    number, gone = divmod(now.timestamp(), limit.window)
    until = datetime.fromtimestamp((number + 2) * limit.window, UTC)
    values: dict[str, Any] = {
        "digest": _digest(limit),
        "number": int(number),
        "share": 1 - gone / limit.window,
        "tries": limit.tries,
        "expires_at": connection.ops.adapt_datetimefield_value(until),
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(table=_table()), values)
        return bool(cursor.fetchall())


def _return_to_database(limits: Sequence[Limit], slot: Slot) -> None:
    for limit in limits:
        number = floor(slot.at.timestamp() / limit.window)
        counted = RateWindow.objects.filter(pk=_digest(limit), current__gt=0)
        counted.filter(number=number).update(current=F("current") - 1)


def _table() -> str:
    return connection.ops.quote_name(RateWindow._meta.db_table)


def past(now: datetime) -> QuerySet[RateWindow]:
    over = RateWindow.objects.filter(expires_at__lte=now - timedelta(minutes=1))
    return over.order_by("expires_at")
