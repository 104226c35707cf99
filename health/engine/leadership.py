"""Which process of a host probes, and whom the others believe.

The process that holds a lock of the kernel's leads: it probes and publishes what it finds, at
least with each beat. The others show that. Who leads may be killed, then the lock is free; or be
stopped, then the lock is not, and everybody else looks for itself until there is news again.
"""

from enum import StrEnum

BEAT_SECONDS = 1.0
# A publication older than three beats is not believed, nor is a process that has slept so long.
FRESH_SECONDS = 3 * BEAT_SECONDS


class Source(StrEnum):
    """Where an answer comes from."""

    LEADER = "leader"
    HOST = "host"
    SELF = "self"


def source(*, leads: bool, silence: float) -> Source:
    """``silence`` is how many seconds ago who leads was last heard of."""
    if leads:
        return Source.LEADER
    return Source.HOST if silence <= FRESH_SECONDS else Source.SELF
