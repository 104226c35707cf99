"""What the breaker raises. ``str()`` of each is safe to show to a client."""

from typing import Any


class BreakerError(Exception):
    status = 500
    code = "breaker_error"
    retry_after: float | None = None


class PolicyError(BreakerError, ValueError):
    """An option that nothing can work with."""

    code = "policy_invalid"


class CircuitNameError(BreakerError, ValueError):
    """A name that is no text, empty, longer than 200 characters, or ends like another's URL."""

    code = "circuit_name_invalid"


class CallRefused(BreakerError):
    """The call never reached the dependency: neutral for any circuit outside, and not retried."""


class CircuitOpenError(CallRefused):
    """``retry_after`` is in seconds.

    ``last_failure`` tells operators what went wrong and is kept out of ``str()``.
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


class BulkheadFull(CallRefused):
    """All places were taken, and none became free in time."""

    __slots__ = ("limit", "name", "retry_after")
    status = 503
    code = "bulkhead_full"

    def __init__(self, name: str, limit: int, retry_after: float) -> None:
        self.name = name
        self.limit = limit
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.limit, self.retry_after)

    def __str__(self) -> str:
        return f"All {self.limit} places of {self.name!r} are taken."


class TimeLimitExceeded(BreakerError, TimeoutError):
    """A failure of the dependency; whether it did its work is not known."""

    status = 504
    code = "time_limit_exceeded"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.seconds,)

    def __str__(self) -> str:
        return f"It took longer than {self.seconds:g} s."


class CircuitUnknown(BreakerError):
    """Neither the fleet nor the database has heard of a circuit of that name."""

    status = 404
    code = "not_found"

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name,)

    def __str__(self) -> str:
        return f"There is no circuit {self.name!r}."


class StaleEpoch(BreakerError):
    """The circuit has moved on since the caller looked: nothing was done."""

    status = 409
    code = "stale_epoch"

    def __init__(self, name: str, epoch: int) -> None:
        self.name = name
        self.epoch = epoch

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.epoch)

    def __str__(self) -> str:
        return f"The circuit {self.name!r} has moved on, to epoch {self.epoch}."


class CircuitChanged(BreakerError):
    """The circuit, or its options, are not what If-Match says any more: nothing was done."""

    status = 412
    code = "precondition_failed"

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name,)

    def __str__(self) -> str:
        return f"The circuit {self.name!r} is not what If-Match says any more."


class BreakerUnavailable(BreakerError):
    """The shared store did not do as it was told; ``problem`` says what is known of that."""

    status = 503
    code = "breaker_unavailable"
    retry_after = 1.0

    def __init__(self, problem: str = "does not answer; nothing was done") -> None:
        self.problem = problem

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problem,)

    def __str__(self) -> str:
        return f"The store of the circuits {self.problem}."


class CircuitKeyMisused(BreakerError):
    """Somebody uses the circuit's key in the store for something else."""

    status = 409
    code = "circuit_key_misused"

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name,)

    def __str__(self) -> str:
        return f"The store keeps something else under the key of the circuit {self.name!r}."


class ConfigInvalid(PolicyError):
    """Options, or a pattern of names, that nobody can be configured with: nothing was changed."""

    status = 400
    code = "invalid"


class ConfigUnknown(BreakerError):
    """Nothing is configured for that pattern."""

    status = 404
    code = "not_found"

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.pattern,)

    def __str__(self) -> str:
        return f"There is no configuration of {self.pattern!r}."


class CommandInvalid(BreakerError, ValueError):
    """A command without a reason, or with an expiry where there is nothing to expire."""

    status = 400
    code = "invalid"
