"""What becomes of a lease as time passes: values in, values out.

Times are seconds of the local clock, ``lease`` is a length in seconds.
"""

from enum import StrEnum

# Leases granted within one tick, that part of their length, are renewed together.
TICKS = 16
# Between tries to renew while the store does not answer: part of what is left, within bounds.
RETRIES_LEFT = 8
SHORTEST_RETRY, LONGEST_RETRY = 0.01, 1.0
# A lock that was handed over is claimed by its first renewal; most are released sooner.
CLAIM_AFTER = 0.1
# A store may be slower than a short lease would like.
SHORTEST_PATIENCE = 0.1


class State(StrEnum):
    ASKED = "asked for"
    HELD = "held"
    RELEASED = "released"
    EXPIRED = "expired"
    REVOKED = "revoked"


# On an uncontended lock's way, where looking a member up in its class takes longer than a mutex.
ASKED, HELD, RELEASED, EXPIRED, REVOKED = State


class Course(StrEnum):
    REST = "nothing to do yet"
    RENEW = "to be renewed"
    ORPHANED = "its owner ended without releasing it"
    OVERSTAYED = "it was held for max_hold"
    EXPIRE = "it ran out"
    FORGET = "nobody needs it any more"


def course(
    state: State,
    now: float,
    *,
    due: float,
    deadline: float,
    hold_until: float,
    renewed: bool,
    orphaned: bool,
) -> Course:
    """What a watchdog does about a lease."""
    if state is ASKED:
        return Course.REST
    if state is not HELD:
        return Course.FORGET
    if now >= deadline:
        return Course.EXPIRE
    if not renewed or now < due:
        return Course.REST
    if orphaned:
        return Course.ORPHANED
    return Course.OVERSTAYED if now >= hold_until else Course.RENEW


def due(deadline: float, lease: float, jitter: float) -> float:
    """When to renew: when a third of the lease is over, or up to one tick before.

    ``jitter``, from 0 to 1, is a process's own; it sets the ticks of processes apart.
    """
    latest = deadline - lease * 2 / 3
    tick = lease / TICKS
    return latest - (latest + jitter * tick) % tick


def retry(now: float, deadline: float) -> float:
    """When to try again to renew a lease after the store did not answer."""
    pause = (deadline - now) / RETRIES_LEFT
    return min(now + min(max(pause, SHORTEST_RETRY), LONGEST_RETRY), deadline)


def answer_by(now: float, nearest: float) -> float:
    """When to give up on a reply, given the nearest deadline of all leases that are renewed.

    A store that does not answer must leave time to renew the leases kept by another.
    """
    left = nearest - now
    return now + min(max(left / 2, SHORTEST_PATIENCE), left)
