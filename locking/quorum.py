"""A lock on most of several independent stores, which outlives the loss of the others."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from . import chance, clock, holders, names, options, votes
from .ballots import aperform, perform
from .blocks import Enterable
from .conf import conf
from .durations import Duration, lease_seconds, wait_seconds
from .errors import LockError, LockExpired, LockLost, LockUnavailable
from .owners import Owner, current
from .votes import Flow, Hold, Wish

logger = logging.getLogger(__name__)


def quorum_lock(
    name: str,
    *,
    caches: Sequence[str],
    lease: Duration = 30,
    wait: Duration | None = 10,
    floor: int = 0,
) -> "QuorumLock":
    """A lock by this name among all who use the same cache aliases, three or more.

    Each alias must be a server of its own that no other replicates. The lock is held while more
    than half of them grant it, so it outlives the loss of the rest, and the failover of none.

    What it cannot do: it keeps no line, so whoever asks at the right time comes first, and under
    much contention some may wait for long. A lease is not renewed by itself; ``lease`` must last
    for the work, or be extended. A server that restarts without its data may grant a lock anew:
    let it stay away for the longest lease. Clocks that run at different speeds, by more than one
    per cent, break it. Nobody lists these locks together. As with any lock, only ``fence``, checked
    where the work is written, keeps out a holder that was paused beyond its lease.
    """
    name = names.of(name)
    caches = options.quorum(caches)
    wish = Wish(
        name=name,
        keys=names.keys(conf().prefix, name),
        servers=len(caches),
        lease=lease_seconds(lease),
        wait=wait_seconds(wait),
        floor=options.fence_floor(floor),
    )
    return QuorumLock(wish=wish, caches=caches)


@dataclass(frozen=True, kw_only=True, slots=True)
class QuorumLock(Enterable["QuorumLease"]):
    wish: Wish
    caches: tuple[str, ...]
    _open: list["QuorumLease"] = field(default_factory=list, init=False, repr=False, compare=False)

    def acquire(self) -> "QuorumLease":
        return QuorumLease(self, perform(self._taking(holders.actor()), self.caches))

    async def aacquire(self) -> "QuorumLease":
        flow = self._taking(holders.task_actor())
        return QuorumLease(self, await aperform(flow, self.caches))

    def _taking(self, actor: str) -> Flow[Hold]:
        return votes.taking(self.wish, actor, clock=clock.now, random=chance.random, token=_token)


def _token() -> str:
    return os.urandom(16).hex()


class QuorumLease:
    """A lock held on most servers; not for another process."""

    def __init__(self, lock: QuorumLock, hold: Hold) -> None:
        self.lock = lock
        self.owner: Owner | None = current()
        self._hold = hold
        self._pid = os.getpid()
        self._let_go = self._ended = False

    @property
    def name(self) -> str:
        return self.lock.wish.name

    @property
    def fence(self) -> int:
        return self._hold.fence

    @property
    def remaining(self) -> float:
        """Seconds for which the lease can be trusted."""
        return 0.0 if self._gone else max(0.0, self._hold.deadline - clock.now())

    @property
    def valid(self) -> bool:
        return self.remaining > 0

    def check(self) -> None:
        """Raises LockLost unless the lease is valid."""
        if not self.valid:
            raise (LockLost if self._gone else LockExpired)(self.name, fence=self.fence)

    def extend(self) -> None:
        """As long as at first, from now on. Raises LockLost if most servers gave it up."""
        self._hold = perform(self._keeping(), self.lock.caches)

    async def aextend(self) -> None:
        self._hold = await aperform(self._keeping(), self.lock.caches)

    def release(self) -> None:
        """Raises LockLost if most servers had given it up before. Again is no error."""
        if self._leave():
            perform(self._leaving(), self.lock.caches)

    async def arelease(self) -> None:
        if self._leave():
            await aperform(self._leaving(), self.lock.caches)

    @property
    def _gone(self) -> bool:
        return self._let_go or self._elsewhere

    @property
    def _elsewhere(self) -> bool:
        """A forked child has a copy of the handle; the lease is its parent's."""
        return self._pid != os.getpid()

    def _keeping(self) -> Flow[Hold]:
        # What was let go may be free already on servers that did not answer.
        if self._gone:
            raise LockLost(self.name, fence=self.fence)
        return votes.keeping(self.lock.wish, self._hold, clock=clock.now)

    def _leave(self) -> bool:
        """Whether the servers must be told."""
        if self._elsewhere:
            raise LockLost(self.name, fence=self.fence)
        ended, self._ended = self._ended, True
        return not ended

    def _leaving(self) -> Flow[None]:
        again, self._let_go = self._let_go, True
        try:
            yield from votes.leaving(self.lock.wish, self._hold, clock=clock.now)
        except LockLost:
            # After a release that nobody answered it is as free as was wished.
            if not again:
                raise
        except BaseException:
            self._ended = False
            raise

    def __enter__(self) -> "QuorumLease":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _finishing(self.name, error):
            self.release()

    async def __aenter__(self) -> "QuorumLease":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _finishing(self.name, error):
            await self.arelease()


@contextmanager
def _finishing(name: str, error: BaseException | None) -> Iterator[None]:
    """The block's own error outranks whatever goes wrong with the release."""
    try:
        yield
    except LockError as failure:
        if error is None and not isinstance(failure, LockUnavailable):
            raise
        logger.warning("Lock %r could not be released: %r", name, failure)
