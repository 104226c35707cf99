"""Counts of the recent past in a ring of ten buckets.

A bucket belongs to ``floor(now / width)``; one with another number is stale and is overwritten
or left out, so nothing ever needs trimming. A number ahead of now (the clock stepped back)
is stale too.
"""

from dataclasses import dataclass, replace

BUCKETS = 10


@dataclass(frozen=True, slots=True)
class Tally:
    ok: int = 0
    failed: int = 0
    throttled: int = 0

    @property
    def failures(self) -> int:
        return self.failed + self.throttled

    @property
    def calls(self) -> int:
        return self.ok + self.failed + self.throttled

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.ok + other.ok, self.failed + other.failed, self.throttled + other.throttled
        )


NOTHING = Tally()
EMPTY = ((-1, NOTHING),) * BUCKETS


@dataclass(frozen=True, slots=True)
class Window:
    """``width`` is the milliseconds of one bucket, ``now`` milliseconds of any steady clock."""

    width: int = 1
    ring: tuple[tuple[int, Tally], ...] = EMPTY

    def of_width(self, width: int) -> "Window":
        """This window, or an empty one if its buckets are of another width."""
        return self if width == self.width else Window(width)

    def add(self, tally: Tally, *, now: int) -> "Window":
        number = now // self.width
        slot = number % BUCKETS
        owner, before = self.ring[slot]
        bucket = (number, before + tally if owner == number else tally)
        return replace(self, ring=(*self.ring[:slot], bucket, *self.ring[slot + 1 :]))

    def total(self, *, now: int) -> Tally:
        number = now // self.width
        recent = (tally for owner, tally in self.ring if number - BUCKETS < owner <= number)
        return sum(recent, NOTHING)
