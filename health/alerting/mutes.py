"""Which notices are held back: by a silence, by what causes the trouble, by flapping."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from .states import Labels, Record, State, Word

# While the first of them fails, the others cannot do but fail, and nobody wants to hear it.
DEPENDENTS = {"database": ("migrations", "accounts")}
FAILING, DEGRADED, FLAPPING = "ServiceCheckFailing", "ServiceDegraded", "HealthFlapping"

# What has stood for so long comes and goes no more, whatever it did before.
STEADY_SECONDS = 300.0

Place = tuple[str, str]
"""Service and component."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Empty matches everything. Times are Unix seconds."""

    alert: str = ""
    service: str = ""
    starts: float
    expires: float

    def holds_back(self, labels: Labels, *, now: float) -> bool:
        matches = self.alert in ("", labels.alert) and self.service in ("", labels.service)
        return matches and self.starts <= now < self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutes:
    silences: tuple[Silence, ...] = ()
    flapping: Collection[Place] = ()
    failing: Collection[str] = ()
    """Services that are said to fail, or are about to be, or did a moment ago."""

    def hold_back(self, record: Record, word: Word, *, now: float) -> bool:
        labels = record.labels
        if any(silence.holds_back(labels, now=now) for silence in self.silences):
            return True
        if self._restless(labels) and now - record.changed_at < STEADY_SECONDS:
            return True
        return word is Word.FIRING and self._explained(labels)

    def _restless(self, labels: Labels) -> bool:
        return (labels.service, labels.component) in self.flapping and labels.alert != FLAPPING

    def _explained(self, labels: Labels) -> bool:
        """The good news that something is over is told whatever else fails."""
        if labels.alert == DEGRADED and labels.service in self.failing:
            return True
        return any(
            labels.service in dependents and cause in self.failing
            for cause, dependents in DEPENDENTS.items()
        )


def failing(records: Iterable[Record], *, now: float) -> dict[str, float]:
    """When each service that fails, or did, was last known to."""
    found: dict[str, float] = {}
    for record in records:
        if record.labels.alert == FAILING and record.state is not State.QUIET:
            last = record.resolved_at if record.state is State.RESOLVED else now
            found[record.labels.service] = max(last, found.get(record.labels.service, 0.0))
    return found
