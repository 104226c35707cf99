"""Counts of the recent past in a ring of ten buckets.

A bucket belongs to ``floor(now / width)``; one with another number is stale and is overwritten
or left out, so nothing ever needs trimming. A number ahead of now (the clock stepped back)
is stale too.
"""

from dataclasses import dataclass, field, replace

from .classify import Outcome

BUCKETS = 10


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls by how they ended; adding what came later keeps ``streak`` right."""

    ok: int = 0
    failed: int = 0
    throttled: int = 0
    slow: int = 0
    """Ended well, but too late, or are past that time without an end."""
    streak: int = field(default=0, compare=False)
    """Failures since the last call that was ok."""

    @property
    def failures(self) -> int:
        return self.failed + self.throttled

    @property
    def calls(self) -> int:
        return self.ok + self.failures + self.slow

    def __add__(self, later: "Tally") -> "Tally":
        return Tally(
            self.ok + later.ok,
            self.failed + later.failed,
            self.throttled + later.throttled,
            self.slow + later.slow,
            later.streak if later.ok else self.streak + later.streak,
        )


NOTHING = Tally()
ONE = {
    Outcome.OK: Tally(ok=1),
    Outcome.FAILURE: Tally(failed=1, streak=1),
    Outcome.THROTTLED: Tally(throttled=1, streak=1),
    Outcome.SLOW: Tally(slow=1),
    Outcome.NEUTRAL: NOTHING,
}
EMPTY = ((-1, NOTHING),) * BUCKETS


@dataclass(frozen=True, slots=True)
class Window:
    """``width`` is the milliseconds of one bucket, ``now`` milliseconds of any steady clock."""

    width: int = 1
    ring: tuple[tuple[int, Tally], ...] = EMPTY

    def of_width(self, width: int, *, now: int) -> "Window":
        """This window, or one of that width in which all that counts now is of this moment.

        Processes may have to differ on the width for a while, and must not erase each other.
        """
        return self if width == self.width else Window(width).add(self.total(now=now), now=now)

    def add(self, tally: Tally, *, now: int) -> "Window":
        number = now // self.width
        slot = number % BUCKETS
        owner, before = self.ring[slot]
        bucket = (number, before + tally if owner == number else tally)
        return replace(self, ring=(*self.ring[:slot], bucket, *self.ring[slot + 1 :]))

    def total(self, *, now: int) -> Tally:
        number = now // self.width
        recent = [bucket for bucket in self.ring if number - BUCKETS < bucket[0] <= number]
        recent.sort(key=lambda bucket: bucket[0])
        return sum((tally for _, tally in recent), NOTHING)
