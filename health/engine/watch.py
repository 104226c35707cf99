"""One check at work: its probe, its thread, when it runs next, and what it showed so far."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex

from health import metrics
from health.probes import Probe
from health.verdict import Status

from .runner import Observation, Runner, timed_out
from .schedule import Act, Schedule
from .snapshot import Check

logger = logging.getLogger(__name__)

# After a result that contradicts what is shown.
RECHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """How a round of a watch has ended."""

    watch: "Watch"
    round: int
    observation: Observation


class Watch:
    """Owned by the scheduler thread; ``tell`` is called by the probe's thread."""

    def __init__(
        self,
        probe: Probe,
        *,
        now: float,
        jitter: Callable[[], float],
        tell: Callable[[Report], None],
    ) -> None:
        self.probe = probe
        self.schedule = Schedule(deadline=probe.deadline, due=now)
        self.check = Check.of(probe)
        # What observers know of it.
        self.told = self.check.status
        self._jitter = jitter
        self._tell = tell
        self._left_behind: Runner | None = None
        self._runner: Runner | None = None

    def advance(self, now: float) -> bool:
        """Do what is due; True when there is a new result to show."""
        match self.schedule.act(now):
            case Act.WAIT:
                return False
            case Act.BEGIN:
                self.schedule = self.schedule.begin(now)
                self._order()
                return False
            case Act.REPLACE if self._replaceable:
                self._replace_runner()
                self.schedule = self.schedule.finish(now, pause=0)
                return False
        self._expire(now)
        return True

    def finish(self, round_: int, observation: Observation, now: float) -> bool:
        """Take a result; one that comes after its deadline has been counted as a failure."""
        if not self._awaits(round_):
            return False
        in_time = not self.schedule.expired
        if in_time:
            self._record(observation, now)
        self.schedule = self.schedule.finish(now, pause=self._pause())
        return in_time

    def hurry(self, now: float) -> None:
        self.schedule = self.schedule.hurry(now)

    def adopt(self, check: Check) -> None:
        """Go on from what another process has found."""
        self.check = check
        self.told = check.status

    def rest(self) -> None:
        """Another process runs this probe; a round under way may end, but counts no more."""
        if self.schedule.began is None:
            self.retire()

    def dismiss(self, round_: int, now: float) -> None:
        """The end of such a round."""
        if self._awaits(round_):
            self.schedule = self.schedule.finish(now, pause=0)
            self.retire()

    def forget(self, now: float) -> None:
        """Nothing is known any more, and what a round under way will say is about the past."""
        self.check = self.check.unknown()
        if self.schedule.began is not None:
            self.schedule = self.schedule.expire(now, pause=self.probe.deadline)
        self.hurry(now)

    def retire(self) -> None:
        if self._runner:
            self._runner.retire()
            self._runner = None

    def _awaits(self, round_: int) -> bool:
        return round_ == self.schedule.round and self.schedule.began is not None

    def _order(self) -> None:
        if self._runner is None:
            self._runner = Runner(self.probe, self._report)
        self._runner.order(self.schedule.round)

    def _report(self, round_: int, observation: Observation) -> None:
        self._tell(Report(self, round_, observation))

    def _expire(self, now: float) -> None:
        if not self.schedule.expired:
            metrics.ABANDONED.labels(self.probe.name).inc()
        self._record(timed_out(self.probe.deadline), now)
        self.schedule = self.schedule.expire(now, pause=self._pause())

    def _record(self, observation: Observation, now: float) -> None:
        before = self.check
        self.check = before.after(
            observation.result, seconds=observation.seconds, taken=now, time=datetime.now(UTC)
        )
        name, latest = self.probe.name, self.check.trail.latest
        metrics.CHECKS.labels(name, latest).inc()
        metrics.DURATION.labels(name).observe(observation.seconds)
        if self.check.status is not before.status:
            metrics.TRANSITIONS.labels(name, self.check.status).inc()
        if self._is_news(before):
            self._log(observation)

    def _is_news(self, before: Check) -> bool:
        latest, told = self.check.result, before.result
        if before.trail.latest is Status.UNKNOWN and latest.status in (Status.PASS, Status.UNKNOWN):
            # That all is well at the start is none.
            return False
        return (latest.status, latest.reason) != (told.status, told.reason)

    def _log(self, observation: Observation) -> None:
        name, component, result = self.probe.name, self.probe.component, observation.result
        if result.status in (Status.PASS, Status.UNKNOWN):
            logger.info("%s %s: %s", name, component, result.status)
            return
        entry = token_hex(4)
        self.check = replace(self.check, entry=entry)
        logger.warning(
            "%s %s: %s %s (log entry %s)",
            name,
            component,
            result.status,
            result.reason or "",
            entry,
            exc_info=observation.error,
        )

    def _pause(self) -> float:
        pause = self.probe.interval * self._jitter()
        return pause if self.check.trail.settled else min(pause, RECHECK_SECONDS)

    @property
    def _replaceable(self) -> bool:
        """Two threads at most: while the first one hangs on, the second is the last."""
        return self._left_behind is None or not self._left_behind.alive

    def _replace_runner(self) -> None:
        self._left_behind = self._runner
        self.retire()
