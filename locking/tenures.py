"""What a process knows of a lease of its own; all changes of its state are here.

Its holder, the watchdog and the listener change it, each from a thread of its own.
"""

import asyncio
import os
from math import inf
from threading import Lock as Mutex
from typing import TYPE_CHECKING, Self, cast
from weakref import ref

from . import clock, holding, lifetimes, losses, owners, reentry, renewal
from .attempts import Grant, deadline
from .errors import LockExpired, LockInvalid, LockLost, LockRevoked
from .ledger import ledger
from .lifetimes import ASKED, EXPIRED, HELD, RELEASED, REVOKED, State
from .losses import Cancellation
from .signals import lock_released, tell

if TYPE_CHECKING:
    from .leases import Lease
    from .locks import Lock

# What a lease in each state is to somebody who needs it held.
LOSS: dict[State, type[LockLost]] = {
    ASKED: LockLost,
    HELD: LockExpired,
    RELEASED: LockLost,
    EXPIRED: LockExpired,
    REVOKED: LockRevoked,
}


class Tenure:
    """``since``, ``deadline`` and ``due`` (for renewal) are times of the local clock."""

    __slots__ = (
        "__weakref__", "_doubted", "_entries", "_hands", "_let_go", "_mutex", "_pid",
        "cancellation", "claimed", "deadline", "due", "fence", "lock", "owner", "renewed", "since",
        "state", "token",
    )  # fmt: skip

    def __init__(self, *, lock: "Lock", token: str) -> None:
        self.lock = lock
        self.token = token
        self.fence = 0
        self.since = self.deadline = 0.0
        self.due = inf
        self.renewed = lock.terms.renew
        self._pid = os.getpid()
        self.state = ASKED
        self.claimed = True
        self._entries = 1
        self._hands = holding.hands()
        self._let_go = self._doubted = False
        self._mutex = Mutex()
        self.owner: owners.Owner | None = owners.current()
        self.cancellation = self._cancellation(self.owner) if lock.terms.cancel_on_lost else None

    def granted(self, grant: Grant) -> None:
        with self._mutex:
            self.state = HELD
            self.fence, self.since = grant.fence, clock.now()
            self._lasts(grant.deadline)
            self.claimed = grant.claimed
            if not grant.claimed:
                self.due = self.since + lifetimes.CLAIM_AFTER
            if self._doubted and self.renewed:
                self.due = self.since
        self._hands[self.token] = ref(self)
        renewal.expect(self.due)

    def _come_to_hand(self) -> None:
        """Of the calling thread or task, and of nobody else."""
        self._hands.pop(self.token, None)
        self._hands = holding.hands()
        self._hands[self.token] = ref(self)

    def others_at_hand(self) -> "list[Tenure]":
        """What its owner holds besides, oldest first."""
        return holding.held(self._hands)

    def entered(self) -> Self:
        """Once more, by a holder who has it already: needs one more release."""
        with self._mutex:
            self.check()
            self._entries += 1
        return self

    def prolonged(self, deadline: float | None) -> None:
        """By its holder; None says that the store knows it no more. Raises LockLost."""
        if deadline is None:
            self._lose(self._loss_found())
        with self._mutex:
            if self.state is not HELD:
                raise self._loss()
            self._lasts(deadline or 0.0)

    def renewal_answered(self, *, held: bool, sent: float) -> None:
        # What was lost once, be it for a moment and unnoticed, must not be valid again.
        if not held or clock.now() >= self.deadline:
            self._lose(self._loss_found())
        with self._mutex:
            if self.state is HELD:
                self._lasts(deadline(sent, self.lock.terms.lease))

    def renew_no_more(self) -> None:
        self.renewed, self.due = False, self.deadline

    def expired(self) -> None:
        self._lose(EXPIRED)

    def revoked(self) -> None:
        """The store tells that somebody took it away."""
        # If that overtook the news of the grant, a renewal will tell what is true.
        self._doubted = True
        self._lose(REVOKED)

    @property
    def lost(self) -> bool:
        """It ended, and not by ``release``."""
        return self.state is not RELEASED and not self.valid

    @property
    def valid(self) -> bool:
        return self.remaining > 0

    @property
    def remaining(self) -> float:
        """Seconds for which the lease can be trusted."""
        if self.state is not HELD or self._elsewhere:
            return 0.0
        return max(0.0, self.deadline - clock.now())

    def check(self) -> None:
        """Raises LockLost unless the lease is valid: for use between the steps of long work."""
        if not self.valid:
            raise self._loss()

    @property
    def _elsewhere(self) -> bool:
        """A forked child has a copy of the handle; the lease is its parent's."""
        return self._pid != os.getpid()

    def _leave(self) -> bool:
        """Whether the store must be told. Of several releases at once, one has to."""
        if self._elsewhere:
            raise self._loss()
        with self._mutex:
            self._entries = max(0, self._entries - 1)
            inner = self._entries > 0
        if inner:
            self.check()
            return False
        renewal.forget(self)
        if self.lock.terms.reentrant:
            reentry.forget(self)
        self._hands.pop(self.token, None)
        if self.cancellation:
            self.cancellation.end()
        with self._mutex:
            if self.state is RELEASED:
                return False
            if self.state is REVOKED:
                raise self._loss()
            # Whoever let a lease expire tells the store all the same: a renewal that nobody heard
            # of may keep others waiting.
            if self.state is HELD:
                self.state = RELEASED
        return True

    def _left(self, held: bool) -> None:
        # After a release without a reply, "not yours" tells that it landed.
        if not held and not self._let_go:
            self._lose(self._loss_found(), after=RELEASED)
        if self.state is not RELEASED:
            raise self._loss()
        held_for = clock.now() - self.since
        ledger.released(self.lock.label or self.lock.name, held_for)
        if lock_released.receivers:
            tell(lock_released, type(self.lock), lease=cast("Lease", self), held_for=held_for)

    def _cancelled_by_loss(self, error: BaseException | None) -> bool:
        if self._entries > 1 or not self.cancellation:
            return False
        return self.cancellation.explains(error)

    def _left_unheard(self) -> None:
        with self._mutex:
            if self.state is RELEASED:
                self.state, self._let_go = HELD, True

    def _lose(self, state: State, *, after: State = HELD) -> None:
        with self._mutex:
            if self.state is not after:
                return
            self.state = state
        renewal.forget(self)
        self._hands.pop(self.token, None)
        losses.announce(cast("Lease", self))

    def _lasts(self, deadline: float) -> None:
        self.claimed = True
        self.deadline = self.due = max(self.deadline, deadline)
        if self.renewed:
            self.due = lifetimes.due(self.deadline, self.lock.terms.lease, renewal.watchdog.jitter)

    def _loss(self) -> LockLost:
        kind = LockLost if self._elsewhere else LOSS[self.state]
        return kind(self.lock.name, fence=self.fence)

    def _loss_found(self) -> State:
        return EXPIRED if clock.now() >= self.deadline else REVOKED

    def _cancellation(self, owner: owners.Owner) -> Cancellation:
        if not isinstance(owner, asyncio.Future):
            raise LockInvalid("cancel_on_lost needs a task; a thread cannot be cancelled.")
        return Cancellation(owner)
