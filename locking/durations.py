"""Seconds out of what callers write: an int, a float or a timedelta."""

import re
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


def milliseconds(number: float) -> int:
    """At least one: the store takes 0 for an error, or for ever."""
    return max(1, round(number * 1000))


def _within(what: str, number: float, least: float) -> float:
    # Written so that NaN, which compares false with everything, is refused too.
    if not least <= number <= LONGEST:
        raise LockInvalid(f"{what} must be from {least:g} to {LONGEST:.0f} seconds.")
    return float(number)


_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_WRITTEN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse(text: str) -> float:
    """Seconds out of ``30s``, ``10m``, ``1h30m``; a plain number is seconds. Raises LockInvalid."""
    found = _WRITTEN.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise LockInvalid(f"{text!r} is not a duration such as 30s, 10m or 2h.")
    parts = zip(_UNITS.values(), found.groups("0"), strict=True)
    return sum(unit * float(count) for unit, count in parts)


def spoken(seconds: float) -> str:
    """For people, in the same units, two at most: ``2h5m``, ``1m30s``, ``0.4s``."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f}s"
    counts, rest = [], round(seconds)
    for unit, size in _UNITS.items():
        counts.append((rest // int(size), unit))
        rest %= int(size)
    first = next(place for place, (count, _) in enumerate(counts) if count)
    return "".join(f"{count}{unit}" for count, unit in counts[first : first + 2] if count)
