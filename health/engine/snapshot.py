"""What is known now: an immutable value, replaced as a whole."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from health.probes import Probe
from health.verdict import CheckResult, Reason, Standing, Status, aggregate, worst

from .hysteresis import Trail, observe
from .leadership import Source

NEVER_RUN = CheckResult(Status.UNKNOWN)
NO_TRAIL = Trail()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: what never changes about it, its history, and its latest result.

    ``taken`` is the monotonic time of that result, ``time`` the wall clock then; ``entry`` names
    the entry of the log with the cause of the latest one that was not pass.
    """

    name: str
    component: str
    kind: str
    source: str
    critical: bool
    deadline: float
    trail: Trail = NO_TRAIL
    result: CheckResult = NEVER_RUN
    seconds: float | None = None
    taken: float = 0.0
    time: datetime | None = None
    since: datetime | None = None
    last_success: datetime | None = None
    entry: str = ""

    @classmethod
    def of(cls, probe: Probe) -> "Check":
        return cls(
            name=probe.name,
            component=probe.component,
            kind=probe.kind,
            source=probe.source,
            critical=probe.critical,
            deadline=probe.deadline,
        )

    @property
    def question(self) -> tuple[str, str]:
        return self.name, self.component

    def unknown(self) -> "Check":
        """As before its first result, except for what was."""
        trail = Trail(changes=self.trail.changes)
        return replace(
            self,
            trail=trail,
            result=NEVER_RUN,
            seconds=None,
            taken=0.0,
            time=None,
            since=None,
            entry="",
        )

    def after(
        self, result: CheckResult, *, seconds: float, taken: float, time: datetime
    ) -> "Check":
        trail = observe(self.trail, result.status, result.reason, now=taken)
        return replace(
            self,
            trail=trail,
            result=result,
            seconds=seconds,
            taken=taken,
            time=time,
            since=self.since if trail.shown is self.trail.shown else time,
            last_success=time if result.status is Status.PASS else self.last_success,
        )

    @property
    def status(self) -> Status:
        return self.trail.shown

    @property
    def standing(self) -> Standing:
        return Standing(self.trail.shown, self.trail.reason, self.critical)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """``taken`` is the monotonic time of the newest result, ``time`` the wall clock then."""

    checks: tuple[Check, ...]
    taken: float
    time: datetime
    source: Source = Source.SELF

    @classmethod
    def of_checks(
        cls, checks: tuple[Check, ...], source: Source, *, now: float, time: datetime
    ) -> "Snapshot":
        """``now`` and ``time`` count as long as there is no result."""
        newest = max(checks, key=lambda check: check.taken, default=None)
        if newest is None or newest.time is None:
            return cls(checks=checks, taken=now, time=time, source=source)
        return cls(checks=checks, taken=newest.taken, time=newest.time, source=source)

    @property
    def started(self) -> bool:
        """Every check has run once or has passed its deadline."""
        return all(check.time for check in self.checks)

    @property
    def status(self) -> Status:
        if not self.started:
            return Status.FAIL
        return aggregate(check.standing for check in self.checks)

    def ready(self, needed: Collection[str]) -> Status:
        """Of these services alone, without which nothing is to be routed here."""
        if not self.started:
            return Status.FAIL
        wanted = (check.standing for check in self.checks if check.name in needed)
        return aggregate(standing._replace(critical=True) for standing in wanted)

    @property
    def reason(self) -> Reason | None:
        return None if self.started else Reason.STARTING

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(check.name for check in self.checks))

    def of(self, name: str) -> Iterator[Check]:
        return (check for check in self.checks if check.name == name)

    def only(self, name: str) -> "Snapshot":
        """As old as the oldest of these checks."""
        checks = tuple(self.of(name))
        oldest = min(checks, key=lambda check: check.taken)
        if not self.started or oldest.time is None:
            return self
        return replace(self, checks=checks, taken=oldest.taken, time=oldest.time)

    def status_of(self, name: str) -> Status:
        return worst(check.status for check in self.of(name))
