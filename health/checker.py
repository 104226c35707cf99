"""The background engine: one scheduler thread for each process, one thread for each check.

The scheduler alone owns all state; probes and signals send it messages. It never waits for a
probe, so a deadline holds whatever the probe does. On each host one process runs the probes and
publishes what it finds; the others show that, and probe only while there is nothing new.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import SystemRandom
from threading import Lock, Thread

from . import contrib, counters, leadership, registry, signals, traffic
from .host import Alone, Place, this_host
from .identity import this_process
from .inbox import Inbox
from .leadership import BEAT_SECONDS, FRESH_SECONDS, Source
from .pages import Edition, render
from .probes import Probe
from .record import Publication
from .runner import Observation, here
from .snapshot import Snapshot
from .verdict import Status
from .watch import RECHECK_SECONDS, Watch

logger = logging.getLogger(__name__)

# How often a process that does not lead looks whether there is news, or nobody who leads.
LOOK_SECONDS = 0.25
# Who has called the leader looks more often for the answer.
EAGER_SECONDS, EAGER_LOOK_SECONDS = 0.5, 0.02
# How long an answer waits for a scheduler that has slept.
AWAKE_SECONDS = 0.05
# Of a scheduler that stands still.
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
    """Nothing else."""


def spread() -> float:
    """Factor on each interval, so that the processes of a fleet do not probe in step."""
    return SystemRandom().uniform(0.9, 1.1)


class Checker:
    """Starts its threads when built; ``edition`` is always the newest published one."""

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
        self._inbox: Inbox[Report | Wake | Stop] = Inbox()
        self._woken: frozenset[str] = frozenset()
        self._eager_until = 0.0
        self._pid = os.getpid()
        self._beat = now = time.monotonic()
        self._identity = this_process()
        self._watches = [
            Watch(probe, now=now, jitter=jitter, tell=self._report) for probe in probes
        ]
        self._place = place or Alone()
        self._abandoned = False
        self._source = Source.HOST
        self._heard = self._since = self._published = now
        self._looked = 0.0
        self._shown: Publication | None = None
        self._led = led
        self._believe(now, leads=False, latest=known)
        self.edition = self._render(now)
        self._thread = Thread(target=self._run, name="health-scheduler", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._pid == os.getpid() and self._thread.is_alive()

    @property
    def leading(self) -> bool:
        """Whether this process probes for its host."""
        return self._source is Source.LEADER

    @property
    def stale(self) -> bool:
        return time.monotonic() - self._beat > STALE_SECONDS

    def wake(self, names: Iterable[str]) -> None:
        """Run these checks now."""
        wanted = frozenset(names)
        # Many requests may fail at once, and each says so.
        if not wanted <= self._woken:
            self._woken |= wanted
            self._inbox.put(Wake(wanted))

    def wait_awake(self) -> None:
        """After the process was stopped, let the scheduler find out before anything is told."""
        until = time.monotonic() + AWAKE_SECONDS
        while until - self._beat > FRESH_SECONDS + AWAKE_SECONDS and time.monotonic() < until:
            time.sleep(0.002)

    @property
    def stuck(self) -> bool:
        """Somebody holds up the scheduler: who is told of a change, who writes a log, a disk."""
        return self.stale and self._thread.is_alive()

    def abandon(self) -> Place:
        """Let another checker lead. Should the scheduler wake up, it ends."""
        self._abandoned = True
        self._inbox.put(Stop())
        self._place.leave()
        return self._place.anew()

    def stop(self) -> None:
        self._inbox.put(Stop())
        self._thread.join()

    def disown(self) -> None:
        """In a forked child, which has the files of its parent but not its threads."""
        self._place.leave()
        self._inbox.disown()

    def _report(self, watch: Watch, round_: int, observation: Observation) -> None:
        self._inbox.put(Report(watch, round_, observation))

    def _run(self) -> None:
        try:
            while self._carry_on():
                pass
        finally:
            self._leave()

    def _carry_on(self) -> bool:
        try:
            return self._step()
        except Exception:
            # The last line of defence: without its scheduler a process would answer stale.
            logger.exception("the health scheduler goes on after an error")
            time.sleep(RECHECK_SECONDS)
            return True

    def _step(self) -> bool:
        timeout = self._due() - time.monotonic()
        messages = self._inbox.receive(timeout=timeout, beside=self._place.ear)
        now, before = time.monotonic(), self._beat
        self._beat = self._looked = now
        if any(isinstance(message, Stop) for message in messages):
            return False
        if now - before > FRESH_SECONDS:
            self._forget(now)
        leads = self._place.leads()
        news = [self._believe(now, leads=leads, latest=None if leads else self._place.latest())]
        self._tell_lead()
        news += [self._handle(message, now) for message in messages]
        self._hurry(self._place.calls(), now)
        if self._source is not Source.HOST:
            news += [watch.advance(now) for watch in self._watches]
        if any(news):
            self.edition = self._render(now)
        if self._source is not Source.HOST:
            self._tell_changes()
        if self.leading and (any(news) or now - self._published >= BEAT_SECONDS):
            self._publish(now)
        return True

    def _leave(self) -> None:
        for watch in self._watches:
            watch.retire()
        self._place.leave()
        self._inbox.close()
        if self._led and not self._abandoned:
            signals.leadership_changed.send_robust(Checker, leading=False)

    def _forget(self, now: float) -> None:
        """The process was stopped, or its machine: whatever it knew may be wrong by now."""
        self._shown = None
        for watch in self._watches:
            watch.forget(now)
        self.edition = self._render(now)

    def _believe(self, now: float, *, leads: bool, latest: Publication | None) -> bool:
        """Find out whom to believe; True when there is something else to show."""
        if latest and not self._credible(latest, now):
            latest = None
        if latest:
            self._heard = latest.beat
        source = leadership.source(leads=leads, silence=now - self._heard)
        changed = source is not self._source
        if changed:
            self._turn(source, now)
        if latest is None or latest is self._shown:
            return changed
        self._shown = latest
        found = {check.question: check for check in latest.checks}
        for watch in self._watches:
            watch.adopt(found[watch.check.question])
        return True

    def _credible(self, publication: Publication, now: float) -> bool:
        """It is fresh, answers the same questions, and is no older than what was found here."""
        checks = publication.checks
        questions = {watch.check.question for watch in self._watches}
        return (
            now - publication.beat <= FRESH_SECONDS
            and questions == {check.question for check in checks}
            and (self._source is Source.HOST or all(check.taken >= self._since for check in checks))
        )

    def _turn(self, source: Source, now: float) -> None:
        before, self._source, self._since = self._source, source, now
        for watch in self._watches:
            if source is Source.HOST:
                watch.rest()
            elif before is Source.HOST:
                watch.hurry(now)
        logger.info("Answers of this process come from: %s", source)

    def _tell_lead(self) -> None:
        if self._led is not self.leading:
            self._led = self.leading
            signals.leadership_changed.send_robust(Checker, leading=self._led)

    def _tell_changes(self) -> None:
        for watch in self._watches:
            check, before = watch.check, watch.told
            if check.time and check.status is not before:
                watch.told = check.status
                signals.status_changed.send_robust(Checker, check=check, before=before)

    def _publish(self, now: float) -> None:
        self._published = now
        if not self._abandoned:
            self._place.publish(Publication(self.edition.snapshot.checks, now))

    def _due(self) -> float:
        """When there is something to do."""
        if self._source is Source.HOST:
            eager = self._looked < self._eager_until
            return self._looked + (EAGER_LOOK_SECONDS if eager else LOOK_SECONDS)
        pause = BEAT_SECONDS if self.leading else LOOK_SECONDS
        return min([self._looked + pause, *(w.schedule.next_event() for w in self._watches)])

    def _handle(self, message: Report | Wake | Stop, now: float) -> bool:
        match message:
            case Report(watch, round_, _) if self._source is Source.HOST:
                watch.dismiss(round_, now)
            case Report(watch, round_, observation):
                return watch.finish(round_, observation, now)
            case Wake(names):
                self._woken = frozenset()
                self._hurry(names, now)
        return False

    def _hurry(self, names: Collection[str], now: float) -> None:
        if names and self._source is Source.HOST:
            self._eager_until = now + EAGER_SECONDS
            self._place.call(names)
            return
        for watch in self._watches:
            if watch.probe.name in names:
                watch.hurry(now)

    def _render(self, now: float) -> Edition:
        checks = tuple(watch.check for watch in self._watches)
        snapshot = Snapshot.of_checks(checks, self._source, now=now, time=datetime.now(UTC))
        return render(snapshot, self._identity)


_running: Checker | None = None
_left_behind: Checker | None = None
_lock = Lock()


def start() -> Checker:
    """This process's checker, started if it is not running: in a server, at import of its app.

    A forked child has none of its parent's threads, so it starts its own here.
    """
    global _running, _left_behind
    with _lock:
        if _running and _running.alive and _running.stuck:
            # Two at most: while the first one is stuck, the second is the last.
            if _left_behind is None or not _left_behind.stuck:
                logger.error("the health scheduler stands still; another one takes its place")
                place, led = _running.abandon(), _running.leading
                _left_behind = _running
                _running = Checker(registry.probes(), place=place, led=led)
        elif _running is None or not _running.alive:
            # A process that starts often takes the place of one that has ended.
            if directory := counters.directory():
                counters.tidy(directory)
            traffic.connect()
            for contribution in contrib.installed():
                contribution.connect()
            place = this_host()
            _running = Checker(registry.probes(), place=place, known=place.latest())
        return _running


def current() -> Checker:
    running = _running
    if running is None or not running.alive or running.stuck:
        return start()
    running.wait_awake()
    return running


def running() -> Checker | None:
    """For who wants to know what is known, and not that it be found out."""
    return _running


def wake(*names: str) -> None:
    """Run these checks now, where a checker runs at all."""
    if _running:
        _running.wake(names)


def doubt(*names: str) -> None:
    """Somebody could not use these: look again at what seems to be well."""
    if _running and not here.probing:
        snapshot = _running.edition.snapshot
        wake(*(name for name in names if snapshot.status_of(name) is Status.PASS))


def _forget() -> None:
    global _running, _left_behind, _lock
    for inherited in filter(None, (_running, _left_behind)):
        inherited.disown()
    _running, _left_behind, _lock = None, None, Lock()


os.register_at_fork(after_in_child=_forget)
