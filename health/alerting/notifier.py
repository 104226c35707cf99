"""The thread that alerts, in the one process of a host that leads.

It is told of changes and of the lead by the engine's signals, whose receivers here only put aside
what they hear.
"""

import logging
import os
import time
from collections.abc import Callable
from hashlib import sha256
from queue import Empty, Queue
from random import SystemRandom
from threading import Lock, Thread
from typing import Any

from health import checker, signals
from health.conf import AlertSettings, alert_settings, conf
from health.engine.snapshot import Check, Snapshot
from health.identity import node_name
from health.verdict import Status

from . import history, reported
from .book import OUT_OF_REACH, PATIENCE_SECONDS
from .channels import channels
from .deputy import Deputy
from .desk import Desk
from .gauge import show
from .history import Transition
from .memory import Memory
from .rules import Seen

logger = logging.getLogger(__name__)

# Until the first results are there, and after an error.
SOON_SECONDS = 0.5
PRUNE_SECONDS = 3600.0


class Stop:
    pass


class Notifier:
    """Its thread runs from when it is built until it is stopped."""

    def __init__(self, make: Callable[[], Desk], look: Callable[[], Snapshot | None]) -> None:
        # Not a SimpleQueue: that of CPython 3.11 may sleep on in get() when its time is over.
        self._inbox: Queue[Transition | Stop] = Queue()
        self._look = look
        self._pruner = Deputy("health-prune")
        # Not at the start, when there is more to do, nor on all nodes at once.
        self._prune_at = time.monotonic() + PRUNE_SECONDS * SystemRandom().random()
        self._thread = Thread(target=self._run, args=(make,), name="health-notifier", daemon=True)
        self._thread.start()

    def note(self, transition: Transition) -> None:
        self._inbox.put(transition)

    def stop(self) -> None:
        """Returns at once: whoever says this may not be kept waiting."""
        self._inbox.put(Stop())

    def join(self) -> None:
        self._thread.join()

    def _run(self, make: Callable[[], Desk]) -> None:
        desk, pause = make(), 0.0
        while True:
            heard = self._receive(pause)
            for one in heard:
                if isinstance(one, Transition):
                    desk.note(one)
            if any(isinstance(one, Stop) for one in heard):
                desk.leave()
                return
            try:
                pause = self._work(desk)
            except Exception:
                # The last line of defence: nobody would hear that nobody hears anything.
                logger.exception("alerting goes on after an error")
                pause = SOON_SECONDS

    def _work(self, desk: Desk) -> float:
        snapshot = self._look()
        if snapshot is None or not snapshot.started:
            return SOON_SECONDS
        self._prune()
        pause = desk.round([seen(check) for check in snapshot.checks], now())
        show(desk.records)
        return pause

    def _receive(self, pause: float) -> list[Transition | Stop]:
        heard = []
        try:
            heard.append(self._inbox.get(timeout=pause))
            while True:
                heard.append(self._inbox.get_nowait())
        except Empty:
            return heard

    def _prune(self) -> None:
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + PRUNE_SECONDS
        try:
            self._pruner.attempt(_forget_the_past, timeout=PATIENCE_SECONDS)
        except OUT_OF_REACH:
            logger.info("Old transitions stay for another hour")


def _forget_the_past() -> None:
    days = conf().history_days
    history.prune(days=days)
    reported.prune(days=days)


def now() -> float:
    """Unix seconds, as exact as a database keeps them."""
    return round(time.time(), 6)


def seen(check: Check) -> Seen:
    return Seen(
        service=check.name,
        component=check.component,
        critical=check.critical,
        status=check.status,
        reason=check.trail.reason,
        flapping=check.trail.flapping,
        local=check.kind == "system",
        result=check.result,
    )


def desk(wanted: AlertSettings, memory: Memory) -> Desk:
    node = node_name()
    # Two runtime directories are two hosts, and so are processes that have none.
    place = str(memory.path or os.getpid())
    reporter = f"{node}:{sha256(place.encode()).hexdigest()[:12]}"
    return Desk(wanted, channels(wanted), memory, node=node, reporter=reporter)


_running: Notifier | None = None
_lock = Lock()


def lead(*, leading: bool, **_: Any) -> None:
    global _running
    wanted = alert_settings()
    with _lock:
        if _running:
            _running.stop()
        _running = None
        if leading and wanted is not None:
            _running = Notifier(lambda: desk(wanted, Memory.of_this_host()), _snapshot)


def note(*, check: Check, before: Status, **_: Any) -> None:
    if _running and check.time:
        transition = Transition(
            service=check.name,
            component=check.component,
            node=node_name(),
            before=before,
            after=check.status,
            reason="" if check.status is Status.PASS else check.trail.reason or "",
            source=check.source,
            at=round(check.time.timestamp(), 6),
        )
        _running.note(transition)


def connect() -> None:
    signals.leadership_changed.connect(lead)
    signals.status_changed.connect(note)


def disconnect() -> None:
    signals.leadership_changed.disconnect(lead)
    signals.status_changed.disconnect(note)


def _snapshot() -> Snapshot | None:
    running = checker.running()
    return running.edition.snapshot if running else None


def _forget() -> None:
    """In a forked child, which has none of its parent's threads."""
    global _running, _lock
    _running, _lock = None, Lock()


os.register_at_fork(after_in_child=_forget)
