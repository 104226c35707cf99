"""When one check runs, runs late, or gets a new thread. Times are monotonic seconds."""

from dataclasses import dataclass, replace
from enum import Enum

# However often it is hurried, a check does not begin again within so many seconds.
BREATH_SECONDS = 0.2
# A thread that is stuck this many deadlines gets one replacement.
PATIENCE = 10


class Act(Enum):
    WAIT = "wait"
    BEGIN = "begin"
    EXPIRE = "expire"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    deadline: float
    due: float
    round: int = 0
    begun: float = float("-inf")
    began: float | None = None
    expired: bool = False
    hurried: bool = False

    def next_event(self) -> float:
        if self.began is None or self.expired:
            return self.due
        return self.began + self.deadline

    def act(self, now: float) -> Act:
        if now < self.next_event():
            return Act.WAIT
        if self.began is None:
            return Act.BEGIN
        if self.expired and now >= self.began + PATIENCE * self.deadline:
            return Act.REPLACE
        return Act.EXPIRE

    def begin(self, now: float) -> "Schedule":
        number = self.round + 1
        return replace(self, began=now, begun=now, round=number, expired=False, hurried=False)

    def expire(self, now: float, *, pause: float) -> "Schedule":
        """The round under way counts as failed, and again after each ``pause`` it does not end."""
        return replace(self, expired=True, due=now + pause)

    def finish(self, now: float, *, pause: float) -> "Schedule":
        due = self._soon(now) if self.hurried else now + pause
        return replace(self, began=None, expired=False, hurried=False, due=due)

    def hurry(self, now: float) -> "Schedule":
        """Run now, or once more after the round under way, which may have looked too early."""
        if self.began is None:
            return replace(self, due=min(self.due, self._soon(now)))
        return replace(self, hurried=True)

    def _soon(self, now: float) -> float:
        return max(now, self.begun + BREATH_SECONDS)
