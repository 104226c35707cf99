"""How raw results become the status that is shown.

One failure warns at once, two in a row fail, two passes in a row pass again; the opposite
result starts the count anew. So the two latest raw results decide, and nothing else is kept.
A first result has nothing to contradict and is believed: no false pass while starting.

What changed often lately is flapping: it warns even while it passes, until it has been quiet.
A failure it shows all the same. An outage that warns before it fails counts as one change, and
its end as another. This is the one place that says what flaps: alerts, their notices and
Prometheus ask it. Times are monotonic seconds.
"""

from dataclasses import dataclass

from health.verdict import Reason, Status

# More changes than this within such a time.
STEADY_CHANGES, FLAPPING_SECONDS = 6, 1800.0
DAY_SECONDS = 86_400.0
# Of a day; somebody who changes more often is told as if not.
MOST_CHANGES = 100


@dataclass(frozen=True, slots=True)
class Trail:
    """``verdict`` is what the results say, ``changes`` when on the last day it changed, other than
    from ill to worse.
    """

    verdict: Status = Status.UNKNOWN
    reason: Reason | None = None
    latest: Status = Status.UNKNOWN
    failures: int = 0
    changes: tuple[float, ...] = ()
    flapping: bool = False

    @property
    def shown(self) -> Status:
        return Status.WARN if self.flapping and self.verdict is Status.PASS else self.verdict

    @property
    def settled(self) -> bool:
        return self.verdict is self.latest


def observe(trail: Trail, latest: Status, reason: Reason | None, *, now: float) -> Trail:
    verdict = _verdict(trail, latest)
    changes = _changes(trail, verdict, now)
    recent = [time for time in changes if time > now - FLAPPING_SECONDS]
    flapping = len(recent) > STEADY_CHANGES
    if latest is Status.PASS and (flapping or verdict is not Status.PASS):
        reason = trail.reason
    return Trail(
        verdict=verdict,
        reason=reason,
        latest=latest,
        failures=trail.failures + 1 if latest is Status.FAIL else 0,
        changes=changes,
        flapping=flapping,
    )


def _changes(trail: Trail, verdict: Status, now: float) -> tuple[float, ...]:
    """With this one. To begin or cease to be known is no change."""
    kept = tuple(time for time in trail.changes if time > now - DAY_SECONDS)
    if Status.UNKNOWN in (trail.verdict, verdict) or verdict is trail.verdict:
        return kept
    worse = (trail.verdict, verdict) == (Status.WARN, Status.FAIL)
    return kept if worse else (*kept, now)[-MOST_CHANGES:]


def _verdict(trail: Trail, latest: Status) -> Status:
    match trail.verdict, trail.latest, latest:
        case (Status.UNKNOWN, _, _) | (_, _, Status.UNKNOWN):
            return latest
        case (_, Status.FAIL, Status.FAIL) | (Status.FAIL, _, Status.FAIL):
            return Status.FAIL
        case (Status.FAIL, Status.FAIL, _):
            return Status.FAIL
        case (_, Status.PASS, Status.PASS) | (Status.PASS, _, Status.PASS):
            return Status.PASS
    return Status.WARN
