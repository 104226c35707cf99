"""When a circuit opens, for how long, and what closes it again."""

import math
from dataclasses import dataclass

from .errors import PolicyError

LONGEST = 30 * 86_400
COUNTS = ("failure_threshold", "minimum_calls", "half_open_permits", "success_threshold")
DURATIONS = ("window", "open_timeout", "max_open_timeout")


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Durations are seconds.

    A circuit opens when, within ``window``, all of these hold: ``failure_threshold`` failures,
    ``minimum_calls`` calls and, if set, a share of failures of at least ``failure_rate``.
    """

    failure_threshold: int = 5
    minimum_calls: int = 1
    failure_rate: float | None = None
    window: float = 60.0
    open_timeout: float = 60.0
    max_open_timeout: float | None = None
    """Upper end for ``backoff_factor`` and Retry-After; None is ten times ``open_timeout``."""
    backoff_factor: float = 1.0
    """Each opening in a row lasts this many times longer than the one before."""
    half_open_permits: int = 1
    """Trial calls at one time, over all processes."""
    success_threshold: int = 1
    """Successful trial calls that close the circuit."""

    def __post_init__(self) -> None:
        for name in COUNTS:
            _check_count(name, getattr(self, name))
        for name in DURATIONS:
            if name != "max_open_timeout" or self.max_open_timeout is not None:
                _check_number(name, getattr(self, name), low=0.01, high=LONGEST)
        if self.failure_rate is not None:
            _check_number("failure_rate", self.failure_rate, low=1e-6, high=1)
        _check_number("backoff_factor", self.backoff_factor, low=1, high=1000)
        if self.max_open_timeout is not None and self.max_open_timeout < self.open_timeout:
            raise PolicyError(
                f"max_open_timeout ({self.max_open_timeout}) is below "
                f"open_timeout ({self.open_timeout})."
            )

    @property
    def open_ms(self) -> int:
        return round(self.open_timeout * 1000)

    @property
    def max_open_ms(self) -> int:
        longest = self.max_open_timeout or min(10 * self.open_timeout, LONGEST)
        return round(longest * 1000)

    @property
    def window_ms(self) -> int:
        return round(self.window * 1000)


def _check_count(name: str, value: object) -> None:
    if type(value) is not int or not 1 <= value <= 1_000_000:
        raise PolicyError(f"{name} must be a whole number from 1 to 1000000, not {value!r}.")


def _check_number(name: str, value: object, *, low: float, high: float) -> None:
    if type(value) not in (int, float) or not low <= value <= high or math.isnan(value):  # type: ignore[operator, arg-type]
        raise PolicyError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}.")
