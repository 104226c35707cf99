"""One thread per process renews its leases, and notices those that are lost.

A thread also for asynchronous leases: what blocks an event loop must not cost it its locks. It
knows the leases weakly, so a handle dropped without a release is renewed no more.

Acquiring and releasing must cost next to nothing here. So the thread is woken only for a lease
that is due before it would wake by itself, and then looks through all of them.
"""

import logging
import os
from collections import defaultdict
from contextlib import suppress
from math import inf
from queue import Empty, Queue
from threading import Lock as Mutex
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING
from weakref import ref

from . import chance, clock, connections, lifetimes, owners
from .errors import LockUnavailable
from .lifetimes import Course
from .scripts import protocol
from .steps import Run

if TYPE_CHECKING:
    from .tenures import Tenure

logger = logging.getLogger(__name__)

# So many renewals fit a socket's buffer, and do not keep the store from others for long.
BATCH = 256
AFTER_ERROR = 0.1


class Watchdog:
    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self.jitter = chance.random()
        self._leases: dict[str, ref[Tenure]] = {}
        self._wake = inf
        # Not a SimpleQueue: that of CPython 3.11 may sleep on in get() when its time is over.
        self._news: Queue[float] = Queue()
        self._starting = Mutex()
        self._thread: Thread | None = None

    def watch(self, lease: "Tenure") -> None:
        """Before the lock is asked for, so that no grant goes unwatched."""
        self._leases[lease.token] = ref(lease)
        if self._thread is None:
            self._start()

    def forget(self, lease: "Tenure") -> None:
        self._leases.pop(lease.token, None)

    def find(self, token: str) -> "Tenure | None":
        known = self._leases.get(token)
        return known() if known else None

    def expect(self, due: float) -> None:
        """A lease is due then, perhaps before any other."""
        if due < self._wake:
            self._news.put(due)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = Thread(target=self._run, name="locking-renewal", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            self._wake = inf  # what becomes due from here on is news
            try:
                self._rest(self._look())
            except Exception:
                # Without this thread the process would lose all its locks.
                logger.exception("The renewal of leases goes on after an error")
                sleep(AFTER_ERROR)

    def _rest(self, wake: float) -> None:
        """Until then, or until what the news says is due sooner.

        Most locks are released long before: the news alone is no reason to look.
        """
        with suppress(Empty):
            while (left := wake - clock.now()) > 0:
                self._wake = wake
                wake = min(wake, self._news.get(timeout=None if left == inf else left))

    def _look(self) -> float:
        """Do what is due; returns when something will be."""
        leases, now = self._alive(), clock.now()
        due = [lease for lease in leases if lease.due <= now]
        for group in _by_alias([lease for lease in due if self._is_to_renew(lease, now)]):
            _renew(group, leases)
        return min((lease.due for lease in self._alive()), default=inf)

    def _alive(self) -> "list[Tenure]":
        alive = []
        for token, known in self._leases.copy().items():
            if lease := known():
                alive.append(lease)
            else:
                self._leases.pop(token, None)
        return alive

    def _is_to_renew(self, lease: "Tenure", now: float) -> bool:
        match _course(lease, now):
            case Course.RENEW:
                return True
            case Course.ORPHANED | Course.OVERSTAYED as reason:
                logger.warning("Lock %r is renewed no more: %s", lease.lock.name, reason)
                lease.renew_no_more()
            case Course.EXPIRE:
                lease.expired()
            case Course.FORGET:
                self.forget(lease)
        return False


def _course(lease: "Tenure", now: float) -> Course:
    return lifetimes.course(
        lease.state,
        now,
        due=lease.due,
        deadline=lease.deadline,
        hold_until=lease.since + lease.lock.terms.max_hold,
        renewed=lease.renewed,
        # Whatever its owner does, a lock that was handed over becomes a whole lease.
        orphaned=lease.claimed and _orphaned(lease),
    )


def _orphaned(lease: "Tenure") -> bool:
    if lease.owner and owners.returned(lease.owner, lease):
        lease.owner = None
    return lease.owner is not None and owners.ended(lease.owner)


def _by_alias(leases: "list[Tenure]") -> "list[list[Tenure]]":
    """The most pressing first."""
    groups: defaultdict[str, list[Tenure]] = defaultdict(list)
    for lease in sorted(leases, key=lambda lease: lease.deadline):
        groups[lease.lock.terms.alias].append(lease)
    return list(groups.values())


def _renew(group: "list[Tenure]", everyone: "list[Tenure]") -> None:
    """Leases of one alias, in as few sends as will do, until the store fails to answer."""
    _postpone(group)
    for start in range(0, len(group), BATCH):
        batch = group[start : start + BATCH]
        unanswered = _send(batch, everyone)
        if len(unanswered) == len(batch):
            return _postpone(group[start:])
        _postpone(unanswered)
    return None


def _send(batch: "list[Tenure]", everyone: "list[Tenure]") -> "list[Tenure]":
    """Returns those to which no answer came."""
    sent = clock.now()
    ahead = (other.deadline for other in everyone if other.renewed and other.deadline > sent)
    until = lifetimes.answer_by(sent, min(ahead, default=sent))
    line = connections.line(batch[0].lock.terms.alias)
    replies = line.run_many([_extension(lease, until) for lease in batch])
    unanswered = []
    for lease, reply in zip(batch, replies, strict=True):
        if isinstance(reply, LockUnavailable):
            unanswered.append(lease)
        else:
            lease.renewal_answered(held=bool(reply), sent=sent)
    return unanswered


def _extension(lease: "Tenure", until: float) -> Run:
    lock = lease.lock
    args = lease.token, lock.terms.lease_ms
    return Run(protocol(lock.keys).extend, lock.keys, args, until)


def _postpone(leases: "list[Tenure]") -> None:
    now = clock.now()
    for lease in leases:
        lease.due = lifetimes.retry(now, lease.deadline)


watchdog = Watchdog()
watch, forget, find, expect = watchdog.watch, watchdog.forget, watchdog.find, watchdog.expect
