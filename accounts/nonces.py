"""Each signature is accepted once.

The cache refuses most replays by one trip; the database keeps the record. The cache alone would
accept a replay after it lost its memory, be it by a restart or by failing over, and to tell the
requests of before from those of after one has to write down either.
"""

import logging
import random
from datetime import datetime, timedelta

import redis
from django.core.cache import caches
from django.db import IntegrityError, transaction

from . import keys
from .conf import conf
from .models import SpentNonce
from .signatures import AHEAD, OLDEST

logger = logging.getLogger(__name__)

# By then the signature is too old, also for a clock that is a minute behind.
KEPT = timedelta(seconds=OLDEST + 2 * AHEAD)
# One request in so many takes away several times as many rows as come in between.
TIDIED, TAKEN = 64, 512


def spend(keyid: str, nonce: str, *, now: datetime) -> bool:
    """False when it was spent before. To be called for signatures that hold, and no others."""
    digest = keys.digest("nonce", keyid, nonce)
    if not _new_to_cache(digest) or not _new_to_database(digest, now + KEPT):
        return False
    if not random.randrange(TIDIED):
        purge(now=now, most=TAKEN)
    return True


def purge(*, now: datetime, most: int) -> int:
    """Forget those whose signatures are too old by now; how many."""
    with transaction.atomic():
        old = SpentNonce.objects.filter(expires_at__lte=now).order_by("expires_at")
        # Two of these must neither wait for each other nor do the same work.
        chosen = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:most])
        deleted, _ = SpentNonce.objects.filter(pk__in=chosen).delete()
    return deleted


def purge_all(*, now: datetime, batch: int) -> int:
    forgotten = 0
    while some := purge(now=now, most=batch):
        forgotten += some
    return forgotten


def _new_to_cache(digest: str) -> bool:
    try:
        # A cache that swallows its errors answers None, which says nothing.
        added = caches[conf().cache].add(f"accounts:nonce:{digest}", 1, KEPT.total_seconds())
    except redis.RedisError as error:
        logger.warning("nonces are kept by the database alone: %s", error)
        return True
    return added is not False


def _new_to_database(digest: str, expires_at: datetime) -> bool:
    try:
        with transaction.atomic():
            SpentNonce.objects.create(digest=digest, expires_at=expires_at)
    except IntegrityError:
        return False
    return True
