"""Durations as people write them."""

import re

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?")


def parse(text: str) -> float:
    """Seconds out of ``30s``, ``10m``, ``1h30m``; a plain number is seconds. Raises ValueError."""
    found = _WRITTEN.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise ValueError(f"{text!r} is not a duration such as 30s, 10m or 2h")
    counts = zip(_UNITS.values(), found.groups("0"), strict=True)
    return float(sum(size * int(count) for size, count in counts))
