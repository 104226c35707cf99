"""``lock()``: what is wanted of a lock, as a value that may be shared and used again."""

import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any

from django.db.models import Model

from . import (
    clock,
    deadlock,
    durations,
    flows,
    holders,
    holding,
    listening,
    names,
    ordering,
    quarantine,
    reentry,
    renewal,
    signals,
    transactions,
)
from .blocks import Enterable
from .conf import conf
from .drivers import adrive, drive
from .durability import Durability, chosen
from .durations import Duration
from .errors import LockBusy, LockDeadlock, LockInvalid
from .leases import Lease

LONGEST_META = 1024
# The store computes fences as doubles, whose integers are exact up to here.
LARGEST_FENCE = 2**53 - 1


def lock(
    name: str | Model,
    *,
    lease: Duration | EllipsisType = ...,
    wait: Duration | EllipsisType | None = ...,
    fair: bool = True,
    renew: bool = True,
    max_hold: Duration | EllipsisType = ...,
    reentrant: bool = False,
    hold_at_least: Duration = 0,
    on_lost: Callable[[Lease], object] | None = None,
    cancel_on_lost: bool = False,
    meta: Mapping[str, Any] | None = None,
    floor: int = 0,
    durability: str | None = None,
    in_atomic: bool = False,
) -> "Lock":
    """A lock by this name, or on this saved row, among all processes that share the store.

    ``lease``: seconds until it frees itself, unless ``renew`` keeps it alive while its holder is,
    for ``max_hold`` seconds at most. ``wait``: seconds to wait for it; 0 tries once, None waits for
    ever. Left out, these come from the settings. ``fair=False`` may overtake those who wait.
    ``reentrant``: the thread or task that holds it may enter it again. ``hold_at_least``: seconds
    since the grant for which an early release still keeps others out, so that a periodic job runs
    once although the clocks of its hosts differ. ``on_lost`` is called with the lease if it ends
    before its release, ``cancel_on_lost`` cancels the task that holds it. ``meta``: told to those
    who find the lock busy. ``floor``: the fence will be higher than this. ``durability``: "replica"
    or "aof" grants it only when a replica, or the server's append-only file, has the grant, which
    costs their time; otherwise LockNotDurable is raised. ``in_atomic``: do not refuse to lock
    inside a transaction.
    """
    settings = conf()
    name = names.of(name)
    return Lock(
        name=name,
        lease=durations.lease_seconds(settings.lease if lease is ... else lease),
        wait=durations.wait_seconds(settings.wait if wait is ... else wait),
        fair=fair,
        renew=renew,
        max_hold=durations.seconds("max_hold", settings.max_hold if max_hold is ... else max_hold),
        reentrant=reentrant,
        hold_at_least=durations.seconds("hold_at_least", hold_at_least),
        on_lost=on_lost,
        cancel_on_lost=cancel_on_lost,
        meta=_text(meta),
        floor=_checked(floor),
        durability=chosen(durability),
        in_atomic=in_atomic,
        most_waiting=settings.queue_limit,
        alias=settings.cache,
        keys=names.keys(settings.prefix, name),
    )


def _text(meta: Mapping[str, Any] | None) -> str:
    if meta is None:
        return ""
    try:
        text = json.dumps(dict(meta), separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise LockInvalid(f"meta must be a mapping that JSON can write: {error}.") from None
    if len(text) > LONGEST_META:
        raise LockInvalid(f"meta must be at most {LONGEST_META} bytes as JSON.")
    return text


def _wish(attempt: flows.Attempt) -> flows.Flow[flows.Grant]:
    vigil = None
    if attempt.wait != 0 and (held := holding.at_hand()):
        ordering.note([lease.lock.name for lease in held], attempt.name)
        vigil = deadlock.Lookout(conf().prefix, clock=clock.now, random=random.random)
    return flows.acquire(attempt, clock=clock.now, random=random.random, vigil=vigil)


def _checked(floor: int) -> int:
    if type(floor) is not int or not 0 <= floor < LARGEST_FENCE:
        raise LockInvalid(f"floor must be a fence, an integer from 0 to {LARGEST_FENCE - 1}.")
    return floor


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock(Enterable[Lease]):
    name: str
    lease: float
    wait: float | None
    fair: bool
    renew: bool
    max_hold: float
    reentrant: bool
    hold_at_least: float
    on_lost: Callable[[Lease], object] | None
    cancel_on_lost: bool
    meta: str
    floor: int
    durability: Durability | None
    in_atomic: bool
    most_waiting: int
    alias: str
    keys: tuple[str, ...]
    share: tuple[int, ...] = ()
    _open: list[Lease] = field(default_factory=list, init=False, repr=False, compare=False)

    def acquire(self) -> Lease:
        """Raises LockBusy when ``wait`` is over, LockUnavailable when the store is down."""
        return self._acquire(self.wait)

    def try_acquire(self) -> Lease | None:
        """Asks once, whatever ``wait`` says."""
        try:
            return self._acquire(0.0)
        except LockBusy:
            return None

    async def aacquire(self) -> Lease:
        return await self._aacquire(self.wait)

    async def atry_acquire(self) -> Lease | None:
        try:
            return await self._aacquire(0.0)
        except LockBusy:
            return None

    def _acquire(self, wait: float | None) -> Lease:
        # Tasks have no part in the transactions of a thread.
        if not self.in_atomic:
            transactions.refuse_open(self.name)
        settings = conf()
        guard = quarantine.guard(settings) if settings.quarantine else None
        return drive(self._taking(wait, holders.actor(), guard), self.alias)

    async def _aacquire(self, wait: float | None) -> Lease:
        settings = conf()
        guard = await quarantine.aguard(settings) if settings.quarantine else None
        return await adrive(self._taking(wait, holders.task_actor(), guard), self.alias)

    def _taking(
        self, wait: float | None, actor: str, guard: flows.Guard | None
    ) -> flows.Flow[Lease]:
        if self.reentrant and (held := reentry.held(self)):
            return held
        lease = Lease(lock=self, token=os.urandom(16).hex())
        attempt = self._attempt(lease.token, wait, actor)
        if guard:
            attempt = attempt._replace(guard=guard)
        renewal.watch(lease)
        try:
            grant = yield from _wish(attempt)
            lease.granted(grant)
        except LockDeadlock as error:
            renewal.forget(lease)
            signals.tell(signals.lock_deadlock, Lock, name=self.name, cycle=error.cycle)
            raise
        except BaseException:
            renewal.forget(lease)
            raise
        if self.reentrant:
            reentry.keep(lease)
        signals.tell(signals.lock_acquired, Lock, lease=lease, waited=grant.waited)
        return lease

    def _attempt(self, token: str, wait: float | None, actor: str) -> flows.Attempt:
        return flows.Attempt(
            name=self.name,
            keys=self.keys,
            token=token,
            lease=self.lease,
            wait=wait,
            fair=self.fair,
            channel=listening.channel(self.alias, self.keys[0]),
            most_waiting=self.most_waiting,
            actor=actor,
            meta=self.meta,
            floor=self.floor,
            share=self.share,
            durability=self.durability,
            renewed=self.renew and min(self.lease, self.max_hold) > flows.CLAIM and not self.share,
        )
