"""How raw results become the status that is shown.

One failure warns at once, two in a row fail, two passes in a row pass again; the opposite
result starts the count anew. So the two latest raw results decide, and nothing else is kept.
A first result has nothing to contradict and is believed: no false pass while starting.
"""

from dataclasses import dataclass

from .verdict import Reason, Status


@dataclass(frozen=True, slots=True)
class Trail:
    shown: Status = Status.UNKNOWN
    reason: Reason | None = None
    latest: Status = Status.UNKNOWN
    failures: int = 0

    @property
    def settled(self) -> bool:
        return self.shown is self.latest


def observe(trail: Trail, latest: Status, reason: Reason | None) -> Trail:
    shown = _shown(trail, latest)
    if latest is Status.PASS and shown is not Status.PASS:
        reason = trail.reason
    failures = trail.failures + 1 if latest is Status.FAIL else 0
    return Trail(shown=shown, reason=reason, latest=latest, failures=failures)


def _shown(trail: Trail, latest: Status) -> Status:
    match trail.shown, trail.latest, latest:
        case (Status.UNKNOWN, _, _) | (_, _, Status.UNKNOWN):
            return latest
        case (_, Status.FAIL, Status.FAIL) | (Status.FAIL, _, Status.FAIL):
            return Status.FAIL
        case (Status.FAIL, Status.FAIL, _):
            return Status.FAIL
        case (_, Status.PASS, Status.PASS) | (Status.PASS, _, Status.PASS):
            return Status.PASS
    return Status.WARN
