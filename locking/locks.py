"""``lock()``: what is wanted of a lock, as a value that may be shared and used again."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import EllipsisType
from typing import Any

from django.db.models import Model

from . import (
    chance,
    clock,
    deadlock,
    durations,
    flows,
    holders,
    listening,
    names,
    ordering,
    quarantine,
    reentry,
    renewal,
    signals,
    transactions,
)
from .attempts import Attempt, Guard
from .blocks import Enterable
from .conf import Settings, conf
from .drivers import adrive, drive
from .durability import chosen
from .durations import Duration
from .errors import LockBusy, LockDeadlock, LockInvalid
from .leases import Lease
from .ledger import ledger
from .options import fence_floor, flag, function
from .steps import Flow
from .terms import Terms

LONGEST_META = 1024


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
    subject = name if isinstance(name, str) else names.of(name)
    wanted = (
        conf(), subject, lease, wait, fair, renew, max_hold, reentrant, hold_at_least,
        cancel_on_lost, durability, in_atomic,
    )  # fmt: skip
    try:
        agreed = _agreed(*wanted)
    except TypeError:  # what has no hash is no duration either
        agreed = _agreed.__wrapped__(*wanted)
    if on_lost is not None:
        function("on_lost", on_lost)
    return Lock(*agreed, on_lost, _text(meta), fence_floor(floor))


# Most locks are wished for again and again. By type as well, because True is no duration.
@lru_cache(1024, typed=True)
def _agreed(
    settings: Settings,
    name: str,
    lease: Duration | EllipsisType,
    wait: Duration | EllipsisType | None,
    fair: bool,
    renew: bool,
    max_hold: Duration | EllipsisType,
    reentrant: bool,
    hold_at_least: Duration,
    cancel_on_lost: bool,
    durability: str | None,
    in_atomic: bool,
) -> tuple[str, tuple[str, ...], Terms]:
    name = names.canonical(name)
    terms = Terms(
        lease=durations.lease_seconds(settings.lease if lease is ... else lease),
        wait=durations.wait_seconds(settings.wait if wait is ... else wait),
        fair=flag("fair", fair),
        renew=flag("renew", renew),
        max_hold=durations.seconds("max_hold", settings.max_hold if max_hold is ... else max_hold),
        reentrant=flag("reentrant", reentrant),
        hold_at_least=durations.seconds("hold_at_least", hold_at_least),
        cancel_on_lost=flag("cancel_on_lost", cancel_on_lost),
        durability=chosen(durability),
        in_atomic=flag("in_atomic", in_atomic),
        most_waiting=settings.queue_limit,
        alias=settings.cache,
        quarantine=durations.seconds("quarantine", settings.quarantine) > 0,
    )
    return name, names.keys(settings.prefix, name), terms


def _text(meta: Mapping[str, Any] | None) -> str:
    if meta is None:
        return ""
    try:
        text = json.dumps(dict(meta), separators=(",", ":"), allow_nan=False)
        if "\\ud" in text:  # half of a pair is no Unicode, and nobody could print it
            json.dumps(dict(meta), ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise LockInvalid(f"meta must be a mapping that JSON can write: {error}.") from None
    if len(text) > LONGEST_META:
        raise LockInvalid(f"meta must be at most {LONGEST_META} bytes as JSON.")
    return text


def _vigil(lease: Lease, wait: float | None) -> flows.Vigil | None:
    """Kept by those who wait for a lock while they hold others."""
    held = lease.others_at_hand() if wait != 0 else []
    if not held:
        return None
    ordering.note([other.lock.name for other in held], lease.name)
    return deadlock.Lookout(conf().prefix, clock=clock.now, random=chance.random)


@dataclass(frozen=True, slots=True)
class Lock(Enterable[Lease]):
    name: str
    keys: tuple[str, ...]
    terms: Terms
    on_lost: Callable[[Lease], object] | None = None
    meta: str = ""
    floor: int = 0
    share: tuple[int, ...] = ()
    # What it is counted by, if not by its name; of its lease, if not a new one each time.
    label: str = ""
    token: str = ""
    _open: list[Lease] = field(default_factory=list, init=False, repr=False, compare=False)

    def acquire(self) -> Lease:
        """Raises LockBusy when ``wait`` is over, LockUnavailable when the store is down."""
        return self._acquire(self.terms.wait)

    def try_acquire(self) -> Lease | None:
        """Asks once, whatever ``wait`` says."""
        try:
            return self._acquire(0.0)
        except LockBusy:
            return None

    async def aacquire(self) -> Lease:
        return await self._aacquire(self.terms.wait)

    async def atry_acquire(self) -> Lease | None:
        try:
            return await self._aacquire(0.0)
        except LockBusy:
            return None

    def _acquire(self, wait: float | None) -> Lease:
        # Tasks have no part in the transactions of a thread.
        if not self.terms.in_atomic:
            transactions.refuse_open(self.name)
        guard = quarantine.guard(conf()) if self.terms.quarantine else None
        return drive(self._taking(wait, holders.actor(), guard), self.terms.alias)

    async def _aacquire(self, wait: float | None) -> Lease:
        guard = await quarantine.aguard(conf()) if self.terms.quarantine else None
        return await adrive(self._taking(wait, holders.task_actor(), guard), self.terms.alias)

    def _taking(self, wait: float | None, actor: str, guard: Guard | None) -> Flow[Lease]:
        if self.terms.reentrant and (held := reentry.held(self)):
            return held
        lease = Lease(lock=self, token=self.token or os.urandom(16).hex())
        renewal.watch(lease)
        try:
            attempt = self._attempt(lease.token, wait, actor, guard)
            grant = yield from flows.acquire(
                attempt, clock=clock.now, random=chance.random, vigil=_vigil(lease, wait)
            )
            lease.granted(grant)
        except LockDeadlock as error:
            renewal.forget(lease)
            signals.tell(signals.lock_deadlock, Lock, name=self.name, cycle=error.cycle)
            raise
        except BaseException:
            renewal.forget(lease)
            raise
        if self.terms.reentrant:
            reentry.keep(lease)
        ledger.granted(self.label or self.name, grant.waited)
        if signals.lock_acquired.receivers:
            signals.tell(signals.lock_acquired, Lock, lease=lease, waited=grant.waited)
        return lease

    def _attempt(self, token: str, wait: float | None, actor: str, guard: Guard | None) -> Attempt:
        return Attempt(
            self.name,
            self.keys,
            token,
            self.terms,
            wait,
            listening.channel(self.terms.alias, self.keys[0]),
            actor,
            self.meta,
            self.floor,
            self.share,
            guard,
        )
