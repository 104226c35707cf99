"""The main job: one order, one payment, whatever happens in between.

A generation is worked on under the lock of its id and written under that lock's fence, so of all
who hold its idempotency key one calls Google, and one that slept through its lease writes nothing.
Found ``running`` with the lock free, its worker is dead, and the finder takes over.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from breaker.errors import CircuitOpenError
from locking import Lock, LockBusy, LockError, LockLost, StaleFence, lock

from . import work
from .conf import Service, conf
from .errors import GenerationError, IdempotencyKeyReused
from .models import Generation, Status
from .orders import Order

logger = logging.getLogger(__name__)

POLL_INTERVAL = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Reply:
    generation: Generation
    replayed: bool


def order(user_id: Any, key: str, order: Order) -> Reply:
    """Raises GenerationError, CircuitOpenError and LockUnavailable; the same key may come again.

    Without the lock's store the order is refused: two workers could both pay for it.
    """
    generation = Generation.objects.filter(user_id=user_id, idempotency_key=key).first()
    if generation is None:
        # Refused before anything is written: an outage must cost the database nothing.
        work.refuse_while_open(order.service, order.resolved_model)
        generation, created = _create(user_id, key, order)
    else:
        created = False
    if generation.request_digest != order.digest:
        raise IdempotencyKeyReused("The Idempotency-Key was used for another request.")
    if generation.settled:
        return Reply(generation, replayed=True)
    if generation.operation:
        return Reply(refresh(generation), replayed=True)
    return _work(generation, created)


def _create(user_id: Any, key: str, order: Order) -> tuple[Generation, bool]:
    return Generation.objects.get_or_create(
        user_id=user_id,
        idempotency_key=key,
        defaults={
            "request_digest": order.digest,
            "service": order.service,
            "model": order.resolved_model,
            "prompt": order.prompt,
            "parameters": order.parameters,
        },
    )


def _work(generation: Generation, created: bool) -> Reply:
    # What is running elsewhere needs no call of ours.
    if not created and generation.status != Status.RUNNING:
        work.refuse_while_open(Service(generation.service), generation.model)
    try:
        with _lock(generation) as lease:
            # What it was before the lock was ours may be history.
            generation.refresh_from_db()
            if generation.settled or generation.operation:
                return Reply(generation, replayed=True)
            work.perform(generation, lease)
            return Reply(generation, replayed=False)
    except (LockBusy, LockLost, StaleFence):
        # Somebody else works on it, so what the row says is the answer.
        return Reply(_reread(generation.pk), replayed=True)


def refresh(generation: Generation) -> Generation:
    """Poll the film of a running generation, at most once a second; never raises for Google."""
    if generation.settled or not generation.operation or not _due(generation):
        return generation
    try:
        with _lock(generation) as lease:
            generation.refresh_from_db()
            if not generation.settled and _due(generation):
                work.poll(generation, lease)
            return generation
    except (LockBusy, LockLost, StaleFence):
        pass
    except (LockError, CircuitOpenError, GenerationError) as error:
        # Reading costs nobody money and the film is still being made: try again next time.
        logger.warning("generation %s was not polled: %s", generation.pk, error)
    return _reread(generation.pk)


def _due(generation: Generation) -> bool:
    return generation.polled_at is None or timezone.now() - generation.polled_at >= POLL_INTERVAL


def _lock(generation: Generation) -> Lock:
    longest = conf().hold_seconds(Service(generation.service))
    # Above the fence of the row, even if the store has lost what it knew.
    return lock(f"generation:{generation.pk}", wait=0, max_hold=longest, floor=generation.fence)


def _reread(pk: UUID) -> Generation:
    return Generation.objects.get(pk=pk)
