"""Each signature is accepted once.

Redis refuses most replays by one trip; the database keeps the record. Redis alone would accept a
replay after it lost its memory, be it by a restart or by failing over, and to tell the requests of
before from those of after one has to write down either.

The record stands whatever becomes of the request. A view that runs in a transaction and answers
with an error would otherwise take it back, and the same request would be good again.
"""

import logging
from datetime import datetime, timedelta
from functools import partial

import redis
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from . import durable, errors, keys, store
from .models import SpentNonce
from .signatures import AHEAD, OLDEST

logger = logging.getLogger(__name__)

# By then the signature is too old, also for a clock that is a minute behind.
KEPT = timedelta(seconds=OLDEST + 2 * AHEAD)


def spend(keyid: str, nonce: str, *, now: datetime) -> bool:
    """False when it was spent before. To be called for signatures that hold, and no others.

    Raises SignaturesUnavailable when it cannot be kept for good: inside a transaction on SQLite
    while Redis does not answer.
    """
    digest = keys.digest("nonce", keyid, nonce)
    new = _new_to_store(digest)
    if new is None and not durable.possible():
        raise errors.SignaturesUnavailable(retry_after=1)
    return new is not False and _new_to_database(digest, now + KEPT)


def past(now: datetime) -> QuerySet[SpentNonce]:
    """Those whose signatures are too old by now."""
    return SpentNonce.objects.filter(expires_at__lte=now).order_by("expires_at")


def _new_to_store(digest: str) -> bool | None:
    """None when it does not say."""
    client = store.client()
    if client is None:
        return None
    try:
        return bool(client.set(f"{{accounts}}:nonce:{digest}", 1, ex=KEPT, nx=True))
    except redis.RedisError as error:
        logger.warning("nonces are kept by the database alone: %s", error)
        return None


def _new_to_database(digest: str, expires_at: datetime) -> bool:
    return durable.beside(partial(_inserted, digest, expires_at))


def _inserted(digest: str, expires_at: datetime) -> bool:
    try:
        with transaction.atomic():
            SpentNonce.objects.create(digest=digest, expires_at=expires_at)
    except IntegrityError:
        return False
    return True
