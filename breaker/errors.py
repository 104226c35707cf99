"""What the breaker raises. ``str()`` of each is safe to show to a client."""

from typing import Any


class BreakerError(Exception):
    status = 500
    code = "breaker_error"
    retry_after: float | None = None


class PolicyError(BreakerError, ValueError):
    """An option that no circuit can work with."""

    code = "policy_invalid"


class CircuitNameError(BreakerError, ValueError):
    """A name that is empty or longer than 200 characters."""

    code = "circuit_name_invalid"


class CircuitOpenError(BreakerError):
    """The call was refused and never reached the dependency.

    ``retry_after`` is in seconds; ``last_failure`` tells operators what went wrong and is kept
    out of ``str()``.
    """

    __slots__ = ("last_failure", "name", "retry_after", "state")
    status = 503
    code = "circuit_open"

    def __init__(self, name: str, retry_after: float, state: str, last_failure: str = "") -> None:
        self.name = name
        self.retry_after = retry_after
        self.state = state
        self.last_failure = last_failure

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.retry_after, self.state, self.last_failure)

    def __str__(self) -> str:
        return f"The circuit {self.name!r} is {self.state}; retry in {self.retry_after:.1f} s."
