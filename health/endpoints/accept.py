"""Which of the forms of an answer ``Accept`` likes best (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Iterator

TEXT = "text/plain"
JSON = "application/json"
HEALTH = "application/health+json"
# What a range is taken for; nothing else is understood here.
RANGES = {
    TEXT: TEXT,
    "text/*": TEXT,
    JSON: JSON,
    HEALTH: HEALTH,
    "application/*": JSON,
    "*/*": JSON,
}
WEIGHT = re.compile(r"[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*", re.IGNORECASE | re.ASCII)
# Nobody's list is longer; a longer one would only cost time.
LONGEST = 1000


def preferred(accept: str) -> str:
    """The first of the heaviest. JSON for who likes nothing that there is, or makes no sense."""
    weights = dict(_weights(accept[:LONGEST]))
    best = max(weights, key=weights.__getitem__, default=JSON)
    return RANGES[best] if weights.get(best) else JSON


def _weights(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        media_type, *parameters = part.split(";")
        wanted = media_type.strip().lower()
        if wanted in RANGES:
            found = (WEIGHT.fullmatch(one) for one in parameters)
            yield wanted, next((float(one[1]) for one in found if one), 1.0)
