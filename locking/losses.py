"""Tells the holder of a lease that it is lost.

Callbacks and receivers run one after another in a thread of their own, started at the first loss
that somebody wants to hear of: however long they take, leases are renewed meanwhile.
"""

import asyncio
import logging
import os
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock as Mutex
from threading import Thread
from typing import TYPE_CHECKING, Any

from django.db import connections

from .signals import lock_lost, tell

if TYPE_CHECKING:
    from .leases import Lease

logger = logging.getLogger(__name__)


def announce(lease: "Lease") -> None:
    logger.warning("Lock %r is lost: %s", lease.name, lease.state)
    if lease.cancellation:
        lease.cancellation.request()
    if lease.lock.on_lost or lock_lost.receivers:
        _herald.tell(lease)


class Cancellation:
    """Ends the task that owns a lost lease, and knows its own doing from that of others.

    As in ``asyncio.timeout()``: whoever cancels a task takes that back when it is done with it.
    """

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._before = task.cancelling()
        self._begun = self._over = False

    def request(self) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._task.get_loop().call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if not self._over:
            self._begun = self._task.cancel()

    def end(self) -> None:
        """From now on it would hit what comes after the work."""
        self._over = True

    def explains(self, error: BaseException | None) -> bool:
        """At the end of the work: whether this alone ended it with ``error``."""
        self._over = True
        if not self._begun:
            return False
        self._begun = False
        alone = self._task.uncancel() <= self._before
        return alone and isinstance(error, asyncio.CancelledError)


class Herald:
    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lost: SimpleQueue[Lease] = SimpleQueue()
        self._starting = Mutex()
        self._thread: Thread | None = None

    def tell(self, lease: "Lease") -> None:
        self._lost.put(lease)
        with self._starting:
            if self._thread is None:
                thread = Thread(target=self._run, name="locking-losses", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            _tell(self._lost.get())


def _tell(lease: "Lease") -> None:
    try:
        tell(lock_lost, type(lease.lock), lease=lease)
        if lease.lock.on_lost:
            lease.lock.on_lost(lease)
    except Exception:
        # What a callback raises must not keep the next one from being called.
        logger.exception("on_lost of lock %r failed", lease.name)
    finally:
        connections.close_all()


_herald = Herald()
