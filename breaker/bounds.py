"""Options that are numbers, refused where they are written."""

from .errors import PolicyError

LONGEST = 30 * 86_400
"""Seconds."""


def whole(name: str, value: object, *, most: int = 1_000_000) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise PolicyError(f"{name} must be a whole number from 1 to {most}, not {value!r}.")
    return value


def number(name: str, value: object, *, low: float, high: float = LONGEST) -> float:
    # NaN compares false with everything.
    if type(value) not in (int, float) or not low <= value <= high:  # type: ignore[operator]
        raise PolicyError(f"{name} must be a number from {low:g} to {high:.10g}, not {value!r}.")
    return value  # type: ignore[return-value]


def exceptions(name: str, value: object) -> tuple[type[Exception], ...]:
    if not isinstance(value, tuple) or not all(map(_is_exception, value)):
        raise PolicyError(f"{name} must be a tuple of exception classes, not {value!r}.")
    return value


def _is_exception(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)
