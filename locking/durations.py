"""Seconds out of what callers write: an int, a float or a timedelta."""

from datetime import timedelta

from .errors import LockInvalid

Duration = int | float | timedelta

# A lease of less would be over before its margin; memory of fences lasts seven days.
SHORTEST_LEASE = 0.01
LONGEST = 604_800.0


def lease_seconds(value: Duration) -> float:
    return seconds("lease", value, least=SHORTEST_LEASE)


def wait_seconds(value: Duration | None) -> float | None:
    return None if value is None else seconds("wait", value)


def seconds(what: str, value: Duration, *, least: float = 0.0) -> float:
    match value:
        case bool():
            pass
        case timedelta():
            return _within(what, value.total_seconds(), least)
        case int() | float():
            return _within(what, value, least)
    raise LockInvalid(f"{what} must be seconds or a timedelta, not {type(value).__name__}.")


def _within(what: str, number: float, least: float) -> float:
    # Written so that NaN, which compares false with everything, is refused too.
    if not least <= number <= LONGEST:
        raise LockInvalid(f"{what} must be from {least:g} to {LONGEST:.0f} seconds.")
    return float(number)
