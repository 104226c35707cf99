"""What one turn of the scheduler thread does: it alone owns all state of the engine.

On each host one process runs the probes and publishes what it finds; the others show that, and
probe only while there is nothing new. No turn ever waits for a probe.
"""

from collections.abc import Callable, Iterable, Set
from datetime import UTC, datetime

from health import signals
from health.endpoints.pages import Edition, render
from health.identity import this_process
from health.probes import Probe

from .belief import Belief
from .leadership import BEAT_SECONDS, Source
from .place import Place
from .record import Publication
from .snapshot import Snapshot
from .watch import Report, Watch

# How often a process that does not lead looks whether there is news, or nobody who leads.
LOOK_SECONDS = 0.25
# Who has called the leader looks more often for the answer.
EAGER_SECONDS, EAGER_LOOK_SECONDS = 0.5, 0.02


class Scheduler:
    """``edition`` is always the newest published one, for all threads to read.

    ``abandoned`` means that another one has taken its place: what this one finds counts no more.
    """

    def __init__(
        self,
        probes: Iterable[Probe],
        place: Place,
        *,
        now: float,
        known: Publication | None,
        led: bool,
        jitter: Callable[[], float],
        tell: Callable[[Report], None],
    ) -> None:
        self._place = place
        self._identity = this_process()
        self._watches = [Watch(probe, now=now, jitter=jitter, tell=tell) for probe in probes]
        self._belief = Belief(self._watches, now=now)
        self._led = led
        self._looked = self._eager_until = 0.0
        self._published = now
        self.abandoned = False
        self._belief.form(now, leads=False, latest=known)
        self.edition = self._render(now)

    @property
    def leading(self) -> bool:
        return self._belief.source is Source.LEADER

    @property
    def _follows(self) -> bool:
        return self._belief.source is Source.HOST

    def due(self) -> float:
        """When there is something to do."""
        if self._follows:
            eager = self._looked < self._eager_until
            return self._looked + (EAGER_LOOK_SECONDS if eager else LOOK_SECONDS)
        pause = BEAT_SECONDS if self.leading else LOOK_SECONDS
        return min([self._looked + pause, *(w.schedule.next_event() for w in self._watches)])

    def turn(self, reports: Iterable[Report], woken: Set[str], now: float) -> None:
        self._looked = now
        news = [self._believe(now)]
        self._tell_lead()
        news += [self._take(report, now) for report in reports]
        self._hurry(woken | self._place.calls(), now)
        if not self._follows:
            news += [watch.advance(now) for watch in self._watches]
        if any(news):
            self.edition = self._render(now)
        if not self._follows:
            self._tell_changes()
        if self.leading and (any(news) or now - self._published >= BEAT_SECONDS):
            self._publish(now)

    def forget(self, now: float) -> None:
        """The process was stopped, or its machine: whatever it knew may be wrong by now."""
        self._belief.forget()
        for watch in self._watches:
            watch.forget(now)
        self.edition = self._render(now)

    def leave(self) -> None:
        for watch in self._watches:
            watch.retire()
        self._place.leave()
        if self._led and not self.abandoned:
            signals.leadership_changed.send_robust(Scheduler, leading=False)

    def _believe(self, now: float) -> bool:
        leads = self._place.leads()
        return self._belief.form(now, leads=leads, latest=None if leads else self._place.latest())

    def _tell_lead(self) -> None:
        if self._led is not self.leading:
            self._led = self.leading
            signals.leadership_changed.send_robust(Scheduler, leading=self._led)

    def _tell_changes(self) -> None:
        for watch in self._watches:
            check, before = watch.check, watch.told
            if check.time and check.status is not before:
                watch.told = check.status
                signals.status_changed.send_robust(Scheduler, check=check, before=before)

    def _publish(self, now: float) -> None:
        self._published = now
        if not self.abandoned:
            self._place.publish(Publication(self.edition.snapshot.checks, now))

    def _take(self, report: Report, now: float) -> bool:
        if self._follows:
            report.watch.dismiss(report.round, now)
            return False
        return report.watch.finish(report.round, report.observation, now)

    def _hurry(self, names: Set[str], now: float) -> None:
        if names and self._follows:
            self._eager_until = now + EAGER_SECONDS
            self._place.call(names)
            return
        for watch in self._watches:
            if watch.probe.name in names:
                watch.hurry(now)

    def _render(self, now: float) -> Edition:
        checks = tuple(watch.check for watch in self._watches)
        source = self._belief.source
        snapshot = Snapshot.of_checks(checks, source, now=now, time=datetime.now(UTC))
        return render(snapshot, self._identity)
