"""Names of circuits, as they travel to Redis, rows, logs and metrics."""

from hashlib import sha256

from .errors import CircuitNameError

LONGEST_NAME = 200
OVERFLOW = "__other__"
"""What circuits made by ``key=`` share when there are too many."""


DIGITS = 32
"""Of a digest."""
RESERVED = "/transitions"
"""What follows a name in a URL: of a circuit that ends so, one could not ask for the other."""


def canonical(name: str) -> str:
    """``name`` itself, or a digest for one that could garble a log line or a column."""
    if not isinstance(name, str):
        raise CircuitNameError(f"A circuit's name is a text, not {name!r}.")
    if not 1 <= len(name) <= LONGEST_NAME:
        raise CircuitNameError(
            f"A circuit's name has 1 to {LONGEST_NAME} characters, not {len(name)}."
        )
    if name.endswith(RESERVED):
        raise CircuitNameError(f"A circuit's name does not end in {RESERVED!r}.")
    if name.isprintable():
        return name
    return _digest(name)


def is_name(text: str) -> bool:
    """Whether it is what some circuit can be called as it is."""
    try:
        return canonical(text) == text
    except CircuitNameError:
        return False


def shortened(name: str) -> str:
    """``name`` itself, or its head and a digest of it all, for one that a value made impossible."""
    if len(name) <= LONGEST_NAME and not name.endswith(RESERVED):
        return name
    return name[: LONGEST_NAME - DIGITS - 1] + _digest(name)


def _digest(name: str) -> str:
    return "#" + sha256(name.encode(errors="surrogatepass")).hexdigest()[:DIGITS]
