"""A lock held: the handle that its holder works with."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock as Mutex
from types import TracebackType

from . import clock, durations, flows
from .drivers import adrive, drive
from .durations import Duration
from .errors import LockError, LockExpired, LockLost, LockRevoked, LockUnavailable

logger = logging.getLogger(__name__)


class State(StrEnum):
    HELD = "held"
    RELEASED = "released"
    EXPIRED = "expired"
    REVOKED = "revoked"


# What a lease in each state is to somebody who needs it held.
LOSS: dict[State, type[LockLost]] = {
    State.HELD: LockExpired,
    State.RELEASED: LockLost,
    State.EXPIRED: LockExpired,
    State.REVOKED: LockRevoked,
}


class Lease:
    """May be handed to another thread or task, but not to another process.

    ``fence`` rises with every grant of the lock: send it along with each write that must not come
    from a stale holder. ``token`` proves the grant to the store.
    """

    def __init__(
        self,
        *,
        name: str,
        token: str,
        fence: int,
        deadline: float,
        length: float,
        alias: str,
        keys: tuple[str, ...],
    ) -> None:
        self.name = name
        self.token = token
        self.fence = fence
        self._deadline = deadline
        self._length = length
        self._alias = alias
        self._keys = keys
        self._pid = os.getpid()
        self._state = State.HELD
        self._let_go = False
        self._mutex = Mutex()

    def __repr__(self) -> str:
        return f"<Lease {self.name!r} fence={self.fence} {self._state}>"

    @property
    def remaining(self) -> float:
        """Seconds for which the lease can be trusted."""
        if self._state is not State.HELD or self._elsewhere:
            return 0.0
        return max(0.0, self._deadline - clock.now())

    @property
    def valid(self) -> bool:
        return self.remaining > 0

    @property
    def lost(self) -> bool:
        """It ended, and not by ``release``."""
        return self._state is not State.RELEASED and not self.valid

    def check(self) -> None:
        """Raises LockLost unless the lease is valid: for use between the steps of long work."""
        if not self.valid:
            raise self._loss()

    def extend(self, lease: Duration | None = None) -> None:
        """At least ``lease`` seconds from now, by default as many as at first. Raises LockLost."""
        self._extended(drive(self._extension(lease), self._alias))

    async def aextend(self, lease: Duration | None = None) -> None:
        self._extended(await adrive(self._extension(lease), self._alias))

    def release(self) -> None:
        """Raises LockLost if the lease ended before. Releasing twice is no error."""
        if self._begin_release():
            with self._releasing():
                self._released(drive(flows.release(self._keys, self.token), self._alias))

    async def arelease(self) -> None:
        if self._begin_release():
            with self._releasing():
                self._released(await adrive(flows.release(self._keys, self.token), self._alias))

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._finishing(error):
            self.release()

    async def __aenter__(self) -> "Lease":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._finishing(error):
            await self.arelease()

    @property
    def _elsewhere(self) -> bool:
        """A forked child has a copy of the handle; the lease is its parent's."""
        return self._pid != os.getpid()

    def _loss(self) -> LockLost:
        kind = LockLost if self._elsewhere else LOSS[self._state]
        return kind(self.name, fence=self.fence)

    def _extension(self, lease: Duration | None) -> flows.Flow[float | None]:
        length = self._length if lease is None else durations.lease_seconds(lease)
        # A deadline just passed does not matter: if the store has the lease, nobody came between.
        if self._state is not State.HELD or self._elsewhere:
            raise self._loss()
        return flows.extend(self._keys, self.token, length, until=self._deadline, clock=clock.now)

    def _extended(self, deadline: float | None) -> None:
        with self._mutex:
            if deadline is not None:
                self._deadline = max(self._deadline, deadline)
            elif self._state is State.HELD:
                self._lose()
            else:
                raise self._loss()

    def _begin_release(self) -> bool:
        """Of several releases at once, one goes to the store and the others find it done."""
        with self._mutex:
            if self._state is State.RELEASED and not self._elsewhere:
                return False
            if self._state is not State.HELD or self._elsewhere:
                raise self._loss()
            self._state = State.RELEASED
            return True

    @contextmanager
    def _releasing(self) -> Iterator[None]:
        try:
            yield
        except LockUnavailable:
            with self._mutex:
                self._state, self._let_go = State.HELD, True
            raise

    def _released(self, held: bool) -> None:
        # After a release without a reply, "not yours" tells that it landed.
        if not held and not self._let_go:
            with self._mutex:
                self._lose()

    def _lose(self) -> None:
        expired = clock.now() >= self._deadline
        self._state = State.EXPIRED if expired else State.REVOKED
        raise self._loss()

    @contextmanager
    def _finishing(self, error: BaseException | None) -> Iterator[None]:
        """The block's own error outranks whatever goes wrong with the release."""
        try:
            yield
        except LockError as failure:
            if error is not None:
                logger.warning(
                    "Lock %r could not be released after %r: %r", self.name, error, failure
                )
            elif not isinstance(failure, LockUnavailable):
                raise
            elif self.valid:
                # The work is done and was never without the lock, which now frees itself in time.
                logger.warning("Lock %r not released: %r", self.name, failure)
            else:
                raise self._loss() from failure
