"""Forgetting what is past its end.

A little at a time by those who make more of it, so that no table grows without end where nobody
calls ``accounts purge``; all at once by that command.
"""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from . import attempts, audit, blacklist, durable, limiter, nonces, signing_keys
from .conf import conf
from .models import LoginSession, Refresh

logger = logging.getLogger(__name__)

# One call in so many takes away several times as many rows as come in between.
EVERY, TAKEN = 64, 512

# How many rows of each kind are gone, of at most so many.
Step = Callable[[int], Counter[str]]


def now_and_then() -> None:
    """For who has just added rows. Never fails its caller, who has got what was asked for."""
    if random.randrange(EVERY):
        return
    try:
        durable.beside(partial(a_little, now=timezone.now()))
    except DatabaseError as error:
        logger.warning("nothing was forgotten: %s", error)


def a_little(*, now: datetime) -> Counter[str]:
    return sum((step(TAKEN) for step in _steps(now)), Counter())


def everything(*, now: datetime) -> Counter[str]:
    forgotten: Counter[str] = Counter()
    while gone := a_little(now=now):
        forgotten += gone
    forgotten["outstanding_tokens"] += blacklist.purge(now, batch=TAKEN)
    return forgotten


def _steps(now: datetime) -> Iterator[Step]:
    recorded = now - timedelta(days=conf().audit_days)
    yield partial(_refreshes, now)
    yield partial(_some, "sessions", _empty_sessions(now))
    yield partial(_some, "login_guards", attempts.past(now))
    yield partial(_some, "rate_windows", limiter.past(now))
    yield partial(_some, "nonces", nonces.past(now))
    yield partial(_some, "events", audit.past(recorded))
    yield partial(_some, "signing_keys", signing_keys.past(recorded))


def _refreshes(now: datetime, most: int) -> Counter[str]:
    """Of sessions past their end, which no token of theirs outlives."""
    over = LoginSession.objects.filter(expires_at__lte=now).order_by("expires_at")
    with transaction.atomic():
        # In two questions: in one, a database that knows no better reads the whole table.
        sessions = list(over.values_list("pk", flat=True)[:most])
        chosen = _chosen(Refresh.objects.filter(session__in=sessions), most)
        mirrored = blacklist.forget(chosen)
        Refresh.objects.filter(pk__in=chosen).delete()
    return Counter(refresh_tokens=len(chosen), outstanding_tokens=mirrored)


def _empty_sessions(now: datetime) -> QuerySet[LoginSession]:
    left = Refresh.objects.filter(session=OuterRef("pk"))
    return LoginSession.objects.filter(~Exists(left), expires_at__lte=now)


def _some(kind: str, past: QuerySet[Any], most: int) -> Counter[str]:
    with transaction.atomic():
        chosen = _chosen(past, most)
        past.model._base_manager.filter(pk__in=chosen).delete()
    return Counter({kind: len(chosen)})


def _chosen(past: QuerySet[Any], most: int) -> list[Any]:
    # Two of these must neither wait for each other nor do the same work.
    return list(past.select_for_update(skip_locked=True).values_list("pk", flat=True)[:most])
