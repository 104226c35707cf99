"""The background engine: one scheduler thread for each process, one thread for each check.

The scheduler alone owns all state; probes and signals send it messages. It never waits for a
probe, so a deadline holds whatever the probe does.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, Queue
from random import SystemRandom
from threading import Lock, Thread

from . import contrib, counters, registry
from .identity import this_process
from .pages import Edition, render
from .probes import Probe
from .runner import Observation
from .snapshot import Snapshot
from .watch import RECHECK_SECONDS, Watch

logger = logging.getLogger(__name__)

# The scheduler wakes at least this often.
HEARTBEAT_SECONDS = 5.0
# Older than three beats, a snapshot is not believed.
STALE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Report:
    watch: Watch
    round: int
    observation: Observation


@dataclass(frozen=True, slots=True)
class Wake:
    names: frozenset[str]


class Stop:
    pass


def spread() -> float:
    """Factor on each interval, so that the processes of a fleet do not probe in step."""
    return SystemRandom().uniform(0.9, 1.1)


class Checker:
    """Starts its threads when built; ``edition`` is always the newest published one."""

    def __init__(self, probes: Iterable[Probe], *, jitter: Callable[[], float] = spread) -> None:
        # Not a SimpleQueue: that of CPython 3.11 may sleep on in get() when its time is over.
        self._inbox: Queue[Report | Wake | Stop] = Queue()
        self._pid = os.getpid()
        self._beat = now = time.monotonic()
        self._identity = this_process()
        self._watches = [
            Watch(probe, now=now, jitter=jitter, tell=self._report) for probe in probes
        ]
        self.edition = self._render(now)
        self._thread = Thread(target=self._run, name="health-scheduler", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._pid == os.getpid() and self._thread.is_alive()

    @property
    def stale(self) -> bool:
        return time.monotonic() - self._beat > STALE_SECONDS

    def wake(self, names: Iterable[str]) -> None:
        """Run these checks now."""
        self._inbox.put(Wake(frozenset(names)))

    def stop(self) -> None:
        self._inbox.put(Stop())
        self._thread.join()

    def _report(self, watch: Watch, round_: int, observation: Observation) -> None:
        self._inbox.put(Report(watch, round_, observation))

    def _run(self) -> None:
        running = True
        while running:
            try:
                running = self._step()
            except Exception:
                # The last line of defence: without its scheduler a process would answer stale.
                logger.exception("the health scheduler goes on after an error")
                time.sleep(RECHECK_SECONDS)
        for watch in self._watches:
            watch.retire()

    def _step(self) -> bool:
        messages = self._receive()
        self._beat = now = time.monotonic()
        news = [self._handle(message, now) for message in messages]
        if any(isinstance(message, Stop) for message in messages):
            return False
        news += [watch.advance(now) for watch in self._watches]
        if any(news):
            self.edition = self._render(now)
        return True

    def _receive(self) -> list[Report | Wake | Stop]:
        """What has arrived, waiting until something has or something is due."""
        now = time.monotonic()
        events = [watch.schedule.next_event() - now for watch in self._watches]
        messages = []
        try:
            messages.append(self._inbox.get(timeout=max(0, min([*events, HEARTBEAT_SECONDS]))))
            while True:
                messages.append(self._inbox.get_nowait())
        except Empty:
            return messages

    def _handle(self, message: Report | Wake | Stop, now: float) -> bool:
        match message:
            case Report(watch, round_, observation):
                return watch.finish(round_, observation, now)
            case Wake(names):
                for watch in self._watches:
                    if watch.probe.name in names:
                        watch.hurry(now)
        return False

    def _render(self, now: float) -> Edition:
        checks = tuple(watch.check for watch in self._watches)
        snapshot = Snapshot(checks=checks, taken=now, time=datetime.now(UTC))
        return render(snapshot, self._identity)


_running: Checker | None = None
_lock = Lock()


def start() -> Checker:
    """This process's checker, started if it is not running: in a server, at import of its app.

    A forked child has none of its parent's threads, so it starts its own here.
    """
    global _running
    with _lock:
        if _running is None or not _running.alive:
            # A process that starts often takes the place of one that has ended.
            if directory := counters.directory():
                counters.tidy(directory)
            for contribution in contrib.installed():
                contribution.connect()
            _running = Checker(registry.probes())
        return _running


def current() -> Checker:
    running = _running
    return running if running and running.alive else start()


def wake(*names: str) -> None:
    """Run these checks now, where a checker runs at all."""
    if _running:
        _running.wake(names)


def _forget() -> None:
    global _running, _lock
    _running, _lock = None, Lock()


os.register_at_fork(after_in_child=_forget)
