"""The background engine: one scheduler thread for each process, one thread for each check.

Probes, signals and requests send the scheduler messages. It never waits for a probe, so a deadline
holds whatever the probe does.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable
from enum import Enum
from random import SystemRandom
from threading import Lock, Thread

from health.endpoints.pages import Edition
from health.probes import Probe

from .inbox import Inbox
from .leadership import FRESH_SECONDS
from .place import Alone, Place
from .record import Publication
from .scheduler import Scheduler
from .watch import RECHECK_SECONDS, Report

logger = logging.getLogger(__name__)

# How long an answer waits for a scheduler that has slept.
AWAKE_SECONDS = 0.05
# Of a scheduler that stands still.
STALE_SECONDS = 15.0


class Order(Enum):
    LOOK = "look"
    STOP = "stop"


def spread() -> float:
    """Factor on each interval, so that the processes of a fleet do not probe in step."""
    return SystemRandom().uniform(0.9, 1.1)


class Checker:
    """Starts its threads when built. Everything here may be called from any thread."""

    def __init__(
        self,
        probes: Iterable[Probe],
        *,
        place: Place | None = None,
        known: Publication | None = None,
        led: bool = False,
        jitter: Callable[[], float] = spread,
    ) -> None:
        """``known`` is what the host knows already; ``led`` says that observers take us for
        the leader."""
        self._inbox: Inbox[Report | Order] = Inbox()
        self._woken: frozenset[str] = frozenset()
        self._wakes = Lock()
        self._pid = os.getpid()
        self._beat = now = time.monotonic()
        self._place = place or Alone()
        self._scheduler = Scheduler(
            probes, self._place, now=now, known=known, led=led, jitter=jitter, tell=self._inbox.put
        )
        self._thread = Thread(target=self._run, name="health-scheduler", daemon=True)
        self._thread.start()

    @property
    def edition(self) -> Edition:
        return self._scheduler.edition

    @property
    def leading(self) -> bool:
        """Whether this process probes for its host."""
        return self._scheduler.leading

    @property
    def alive(self) -> bool:
        return self._pid == os.getpid() and self._thread.is_alive()

    @property
    def stale(self) -> bool:
        return time.monotonic() - self._beat > STALE_SECONDS

    @property
    def stuck(self) -> bool:
        """Somebody holds up the scheduler: who is told of a change, who writes a log, a disk."""
        return self.stale and self._thread.is_alive()

    def wake(self, names: Iterable[str]) -> None:
        """Run these checks now."""
        wanted = frozenset(names)
        with self._wakes:
            # Many requests may fail at once, and each says so.
            if wanted <= self._woken:
                return
            self._woken |= wanted
        self._inbox.put(Order.LOOK)

    def wait_awake(self) -> None:
        """After the process was stopped, let the scheduler find out before anything is told."""
        until = time.monotonic() + AWAKE_SECONDS
        while until - self._beat > FRESH_SECONDS + AWAKE_SECONDS and time.monotonic() < until:
            time.sleep(0.002)

    def stop(self) -> None:
        self._inbox.put(Order.STOP)
        self._thread.join()

    def abandon(self) -> Place:
        """Let another checker lead. Should the scheduler wake up, it ends."""
        self._scheduler.abandoned = True
        self._inbox.put(Order.STOP)
        self._place.leave()
        return self._place.anew()

    def disown(self) -> None:
        """In a forked child, which has the files of its parent but not its threads."""
        self._place.leave()
        self._inbox.disown()

    def _run(self) -> None:
        try:
            while self._carry_on():
                pass
        finally:
            self._scheduler.leave()
            self._inbox.close()

    def _carry_on(self) -> bool:
        try:
            return self._step()
        except Exception:
            # The last line of defence: without its scheduler a process would answer stale.
            logger.exception("the health scheduler goes on after an error")
            time.sleep(RECHECK_SECONDS)
            return True

    def _step(self) -> bool:
        timeout = self._scheduler.due() - time.monotonic()
        messages = self._inbox.receive(timeout=timeout, beside=self._place.ear)
        now, before = time.monotonic(), self._beat
        self._beat = now
        if Order.STOP in messages:
            return False
        if now - before > FRESH_SECONDS:
            self._scheduler.forget(now)
        reports = [message for message in messages if isinstance(message, Report)]
        self._scheduler.turn(reports, self._take_woken(), now)
        return True

    def _take_woken(self) -> frozenset[str]:
        with self._wakes:
            woken, self._woken = self._woken, frozenset()
        return woken
