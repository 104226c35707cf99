"""Durations as people write them."""

import re

from .errors import CommandInvalid

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_WRITTEN = re.compile(
    r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)s?)?"
)


def parse(text: str) -> float:
    """Seconds out of ``30s``, ``10m``, ``1h30m``; a plain number is seconds."""
    found = _WRITTEN.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise CommandInvalid(f"{text!r} is not a duration such as 30s, 10m or 2h.")
    parts = zip(_UNITS.values(), found.groups("0"), strict=True)
    return sum(unit * float(count) for unit, count in parts)


def spoken(seconds: float) -> str:
    """In the same units, two at most: ``2h5m``, ``1m30s``, ``0.4s``."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f}s"
    counts, rest = [], round(seconds)
    for unit, size in _UNITS.items():
        counts.append((rest // int(size), unit))
        rest %= int(size)
    first = next(place for place, (count, _) in enumerate(counts) if count)
    return "".join(f"{count}{unit}" for count, unit in counts[first : first + 2] if count)
