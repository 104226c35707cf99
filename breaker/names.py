"""Names of circuits, as they travel to Redis, rows, logs and metrics."""

from hashlib import sha256

from .errors import CircuitNameError

LONGEST = 200
OVERFLOW = "__other__"
"""What circuits made by ``key=`` share when there are too many."""


def canonical(name: str) -> str:
    """``name`` itself, or a digest for one that could garble a log line or a column."""
    if not 1 <= len(name) <= LONGEST:
        raise CircuitNameError(f"A circuit's name has 1 to {LONGEST} characters, not {len(name)}.")
    if name.isprintable():
        return name
    return "#" + sha256(name.encode(errors="surrogatepass")).hexdigest()[:32]
