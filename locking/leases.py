"""A lock held: the handle that its holder works with."""

import logging
from types import TracebackType

from . import clock, durations, flows, owners, reentry
from .drivers import adrive, drive
from .durations import Duration
from .errors import LockError, LockUnavailable
from .lifetimes import HELD
from .steps import Flow
from .tenures import Tenure

logger = logging.getLogger(__name__)


class Lease(Tenure):
    """May be handed to another thread or task, but not to another process.

    ``fence`` rises with every grant of the lock: send it along with each write that must not come
    from a stale holder. ``token`` proves the grant to the store.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Lease {self.name!r} fence={self.fence} {self.state}>"

    @property
    def name(self) -> str:
        return self.lock.name

    def adopt(self) -> None:
        """Belong to the calling thread or task, instead of the one that acquired the lock.

        When its owner ends, a lease is renewed no more; ``cancel_on_lost`` cancels its owner.
        """
        owner = owners.current()
        terms = self.lock.terms
        cancellation = self._cancellation(owner) if terms.cancel_on_lost else None
        if terms.reentrant:
            reentry.forget(self)
        self.owner, self.cancellation = owner, cancellation
        self._come_to_hand()
        if terms.reentrant:
            reentry.keep(self)

    def extend(self, lease: Duration | None = None) -> None:
        """At least ``lease`` seconds from now, by default as many as at first. Raises LockLost."""
        self.prolonged(drive(self._extension(lease), self.lock.terms.alias))

    async def aextend(self, lease: Duration | None = None) -> None:
        self.prolonged(await adrive(self._extension(lease), self.lock.terms.alias))

    def release(self) -> None:
        """Raises LockLost if the lease ended before. Releasing twice is no error."""
        if self._leave():
            drive(self._parting(), self.lock.terms.alias)

    async def arelease(self) -> None:
        if self._leave():
            await adrive(self._parting(), self.lock.terms.alias)

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        error = self._own(error)
        try:
            self.release()
        except LockError as failure:
            self._weigh(failure, error)

    async def __aenter__(self) -> "Lease":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        error = self._own(error)
        try:
            await self.arelease()
        except LockError as failure:
            self._weigh(failure, error)

    def _extension(self, lease: Duration | None) -> Flow[float | None]:
        length = self.lock.terms.lease if lease is None else durations.lease_seconds(lease)
        # A deadline just passed does not matter: if the store has the lease, nobody came between.
        if self.state is not HELD or self._elsewhere:
            raise self._loss()
        keys = self.lock.keys
        return flows.extend(keys, self.token, length, until=self.deadline, clock=clock.now)

    def _parting(self) -> Flow[None]:
        lock = self.lock
        try:
            held = yield from flows.release(
                lock.keys, self.token, at_least=lock.terms.hold_at_least
            )
        except LockUnavailable:
            self._left_unheard()
            raise
        self._left(held)

    def _own(self, error: BaseException | None) -> BaseException | None:
        """What the block raised by itself, and not because its lease was lost."""
        return None if self.cancellation and self._cancelled_by_loss(error) else error

    def _weigh(self, failure: LockError, error: BaseException | None) -> None:
        """The block's own error outranks whatever goes wrong with the release."""
        if error is not None:
            logger.warning("Lock %r could not be released after %r: %r", self.name, error, failure)
        elif not isinstance(failure, LockUnavailable):
            raise failure
        elif self.valid:
            # The work is done and was never without the lock, which now frees itself in time.
            logger.warning("Lock %r not released: %r", self.name, failure)
        else:
            raise self._loss() from failure
