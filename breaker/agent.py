"""One thread per process for all its circuits, started at the first use of one.

It flushes counts, renews the permits of trials under way, and looks again at circuits that other
processes changed. Idle, it makes one trip a second, however many circuits there are.
"""

import atexit
import logging
import os
import threading
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING

from . import offload
from .chance import uniform
from .follower import Follower
from .history import history
from .link import link
from .threads import started
from .trials import LEASE

if TYPE_CHECKING:
    from .replica import Replica

logger = logging.getLogger(__name__)

FLUSH_EVERY = 0.1
"""Seconds, while there is anything to flush; from idleness it takes up to one poll."""
POLL_EVERY = 1.0
RENEW_EVERY = LEASE / 1000 / 3


class Agent:
    def __init__(self) -> None:
        self._hooked = False
        self._begin()

    def _begin(self) -> None:
        self._watched: dict[str, Replica] = {}
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._working = threading.Lock()

    def watch(self, replica: "Replica") -> None:
        self._watched[replica.name] = replica
        self.start()

    def start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._hook()
                with self._working:  # or the thread would not find itself yet, and end
                    self._thread = started(self._run, "breaker-agent")

    def names(self) -> set[str]:
        return set(self._watched)

    def flush(self, timeout: float = 5.0) -> bool:
        """Write all counts now and wait for the rows; whether every row is written."""
        with self._working:  # what the thread has taken to write is written, too
            self._flush()
        return history.drain(timeout)

    def forget(self) -> None:
        """Know no more of any circuit than a new process would; for tests."""
        with self._working:
            for replica in self._replicas():
                replica.forget()
            self._begin()
            history.forget()
            link.reset()

    def _hook(self) -> None:
        if not self._hooked:
            self._hooked = True
            os.register_at_fork(after_in_child=self._inherit)
            atexit.register(self.flush, timeout=2.0)

    def _inherit(self) -> None:
        """In a forked child: threads are gone, locks may be held, counts are the parent's."""
        for replica in self._replicas():
            replica.inherit()
        self._begin()
        history.forget()
        link.reset()
        offload.reset()

    def _run(self) -> None:
        follower, due, mine = Follower(), Due(), True
        while mine:
            try:
                mine = self._turn(follower, due)
            except Exception:
                # The thread must outlive whatever befalls it: counts would pile up unwritten.
                logger.exception("The breaker agent stumbled")
                follower.hang_up()
                sleep(FLUSH_EVERY)

    def _turn(self, follower: Follower, due: "Due") -> bool:
        """Do what is due and wait for more; False if this is no longer the agent's thread."""
        with self._working:
            if self._thread is not threading.current_thread():
                return False
            busy = self._work(follower, due)
        # After a flush there may soon be more to write.
        if follower.wait(FLUSH_EVERY if busy else due.poll - monotonic()):
            due.poll = 0
        return True

    def _work(self, follower: Follower, due: "Due") -> bool:
        """Do what is due; whether there were counts to flush."""
        busy = self._flush()
        if monotonic() >= due.renewal:
            due.renewal = monotonic() + RENEW_EVERY
            self._renew_trials()
        if monotonic() >= due.poll:
            due.poll = monotonic() + POLL_EVERY * uniform(0.9, 1.1)
            self._refresh(follower)
        return busy

    def _replicas(self) -> "list[Replica]":
        return list(self._watched.values())

    def _flush(self) -> bool:
        return sum(replica.flush() for replica in self._replicas()) > 0

    def _renew_trials(self) -> None:
        for replica in self._replicas():
            replica.renew_trials()

    def _refresh(self, follower: Follower) -> None:
        moved = any(replica.snapshot.epoch for replica in self._replicas())
        for name in follower.stale(self._watched.keys(), moved=moved):
            self._watched[name].refresh()


@dataclass(slots=True)
class Due:
    """Monotonic seconds."""

    poll: float = 0.0
    renewal: float = 0.0


agent = Agent()
