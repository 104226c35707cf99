"""One thread per process for all its circuits, started at the first use of one.

It flushes counts, renews the permits of trials under way, and looks again at circuits that other
processes changed. Idle, it makes one trip a second, however many circuits there are.
"""

import logging
import os
import threading
from collections import deque
from contextlib import ExitStack, closing
from dataclasses import dataclass
from math import inf
from time import monotonic, sleep
from typing import TYPE_CHECKING

from . import flights, offload, rows
from .bell import Bell
from .chance import uniform
from .counts import MANY
from .declared import declared
from .farewell import before_the_end
from .follower import Follower
from .history import history
from .link import link
from .overlay import current
from .threads import started
from .trials import LEASE

if TYPE_CHECKING:
    from .replica import Replica

logger = logging.getLogger(__name__)

FLUSH_AFTER = 0.1
"""Seconds from the first success, or at once if there are ``MANY``."""
POLL_EVERY = 1.0
RENEW_EVERY = LEASE / 1000 / 3
SWEEP_EVERY = 30.0
TIDY_EVERY = 60.0
TELL_EVERY = 3600.0
LAST_PATIENCE = 2.0


class Agent:
    def __init__(self) -> None:
        self._hooked = False
        self._begin()

    def _begin(self) -> None:
        self._watched: set[Replica] = set()
        self._leaving: deque[Replica] = deque()
        self._bell: Bell | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        # Re-entrant, because whatever is collected meanwhile may call a circuit as it ends.
        self._working = threading.RLock()

    def watch(self, replica: "Replica") -> None:
        self._watched.add(replica)
        self.start()

    def unwatch(self, replica: "Replica") -> None:
        """Let go of a circuit that nobody can call any more, once its last counts are written."""
        if replica in self._watched:
            self._leaving.append(replica)

    def reconfigure(self) -> None:
        """Read the configuration again, off the call path, if this process uses circuits."""
        if self._thread:
            history.read("configuration", self.read_configuration)

    def read_configuration(self) -> None:
        """Now; raises what the database raises."""
        if current.read(rows.configurations):
            for replica in self._replicas():
                replica.adjust()

    def ring(self) -> None:
        """From any thread: there is something to flush, soon, or at once if it is much."""
        if self._bell:
            self._bell.ring()

    def start(self) -> None:
        # Whoever finds another at it leaves it at that: it may be what the new thread collects.
        if (starting := self._starting).acquire(blocking=False):
            try:
                self._start()
            finally:
                starting.release()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._hook()
            with self._working:  # or the thread would not find itself yet, and end
                self._begin_thread(Bell())

    def _begin_thread(self, bell: Bell) -> None:
        self._thread = started(lambda: self._run(bell), "breaker-agent")
        if self._thread:
            self._bell = bell
        else:
            bell.close()

    def names(self) -> set[str]:
        return {replica.name for replica in self._replicas()}

    def flush(self, timeout: float = 5.0) -> bool:
        """Write all counts now and wait for the rows; whether every row is written."""
        with self._working:  # what the thread has taken to write is written, too
            self._flush()
            declared.tell()
        return history.drain(timeout)

    def forget(self) -> None:
        """Know no more of any circuit than a new process would; for tests."""
        with self._working:
            for replica in self._replicas():
                replica.forget()
            self._begin()
            flights.forget()
            history.forget()
            link.reset()
            current.forget()
            declared.forget()

    def _finish(self) -> None:
        offload.drain(LAST_PATIENCE)
        self.flush(LAST_PATIENCE)

    def _hook(self) -> None:
        if not self._hooked:
            self._hooked = True
            os.register_at_fork(after_in_child=self._inherit)
            before_the_end(self._finish)

    def _inherit(self) -> None:
        """In a forked child: threads are gone, locks may be held, counts are the parent's."""
        for replica in self._replicas():
            replica.inherit()
        if self._bell:
            self._bell.close()
        self._begin()
        flights.forget()
        history.forget()
        link.reset()
        current.inherit()
        offload.reset()

    def _run(self, bell: Bell) -> None:
        follower, due = Follower(), Due()
        with closing(bell), ExitStack() as ending:
            ending.callback(follower.hang_up)
            while self._turned(follower, due, bell):
                continue

    def _turned(self, follower: Follower, due: "Due", bell: Bell) -> bool:
        """The thread must outlive whatever befalls it: counts would pile up unwritten."""
        try:
            return self._turn(follower, due, bell)
        except Exception:
            logger.exception("The breaker agent stumbled")
            follower.hang_up()
            sleep(FLUSH_AFTER)
            return True

    def _turn(self, follower: Follower, due: "Due", bell: Bell) -> bool:
        """Do what is due and wait for more; False if this is no longer the agent's thread."""
        with self._working:
            if self._thread is not threading.current_thread():
                return False
            self._work(follower, due)
        if follower.wait(due.next() - monotonic(), bell):
            due.poll = 0
        return True

    def _work(self, follower: Follower, due: "Due") -> None:
        now = monotonic()
        due.flights = flights.judge_overdue(now)
        if now >= min(due.flush, due.poll) or self._has_much():
            due.flush = inf
            self._flush()
        elif self._has_some():
            due.flush = min(due.flush, now + FLUSH_AFTER)
        if now >= due.renewal:
            due.renewal = now + RENEW_EVERY
            self._renew_trials()
        if now >= due.telling:
            due.telling = now + TELL_EVERY * uniform(0.9, 1.1)
            declared.doubt_standing()
        if now >= due.poll:
            self._refresh(follower, sweep=now >= due.sweep)
            if now >= due.sweep:
                due.sweep = now + SWEEP_EVERY * uniform(0.9, 1.1)
            due.poll = monotonic() + link.pause(POLL_EVERY) * uniform(0.9, 1.1)
        if now >= due.tidying:
            due.tidying = now + TIDY_EVERY * uniform(0.9, 1.1)
            link.tidy(self.names())
            self.reconfigure()

    def _has_some(self) -> bool:
        return any(replica.snapshot.counts.waiting for replica in self._replicas())

    def _has_much(self) -> bool:
        return any(replica.snapshot.counts.waiting >= MANY for replica in self._replicas())

    def _replicas(self) -> "list[Replica]":
        return list(self._watched)

    def _flush(self) -> None:
        leaving = [self._leaving.popleft() for _ in range(len(self._leaving))]
        for replica in self._replicas():
            replica.flush()
        self._watched.difference_update(leaving)

    def _renew_trials(self) -> None:
        for replica in self._replicas():
            replica.renew_trials()

    def _refresh(self, follower: Follower, *, sweep: bool) -> None:
        replicas = self._replicas()
        moved = any(replica.snapshot.epoch for replica in replicas)
        stale = set(follower.stale(self.names(), moved=moved))
        if sweep:
            stale.update(follower.astray({one.name: one.snapshot.epoch for one in replicas}))
        for replica in replicas:
            if replica.name in stale or replica.snapshot.lapsed() or replica.stranded():
                replica.refresh()
            replica.rumours.testify()
        if follower.reconfigured:
            follower.reconfigured = False
            self.reconfigure()
        declared.compare(follower.born)
        declared.tell()


@dataclass(slots=True)
class Due:
    """Monotonic seconds."""

    flights: float = 0.0
    flush: float = inf
    poll: float = 0.0
    renewal: float = 0.0
    sweep: float = 0.0
    """Done by the poll after it."""
    tidying: float = 0.0
    telling: float = 0.0
    """Done by the poll after it."""

    def next(self) -> float:
        return min(self.flights, self.flush, self.poll, self.renewal, self.tidying)


agent = Agent()
