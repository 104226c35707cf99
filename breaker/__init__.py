"""Circuit breakers with one state for all processes, and what stands beside them.

@retry("veo")
@circuit_breaker("veo", failure_threshold=5, open_timeout=60)
@time_limit(120)
def render(prompt): ...
"""

from .budget import RetryBudget
from .bulkhead import bulkhead
from .circuit import State
from .classify import Outcome, default_outcome, default_retry_after
from .deadline import time_left
from .errors import (
    BreakerError,
    BulkheadFull,
    CallRefused,
    CircuitNameError,
    CircuitOpenError,
    PolicyError,
    TimeLimitExceeded,
)
from .guard import circuit_breaker
from .policy import Policy
from .registry import get_breaker
from .retry import retry
from .time_limit import time_limit

__all__ = [
    "BreakerError",
    "BulkheadFull",
    "CallRefused",
    "CircuitNameError",
    "CircuitOpenError",
    "Outcome",
    "Policy",
    "PolicyError",
    "RetryBudget",
    "State",
    "TimeLimitExceeded",
    "bulkhead",
    "circuit_breaker",
    "default_outcome",
    "default_retry_after",
    "get_breaker",
    "retry",
    "time_left",
    "time_limit",
]
