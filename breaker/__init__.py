"""Circuit breakers with one state for all processes.

@circuit_breaker("veo", failure_threshold=5, open_timeout=60)
def render(prompt): ...
"""

from .circuit import State
from .classify import Outcome, default_outcome, default_retry_after
from .errors import BreakerError, CircuitNameError, CircuitOpenError, PolicyError
from .guard import circuit_breaker
from .policy import Policy
from .registry import get_breaker

__all__ = [
    "BreakerError",
    "CircuitNameError",
    "CircuitOpenError",
    "Outcome",
    "Policy",
    "PolicyError",
    "State",
    "circuit_breaker",
    "default_outcome",
    "default_retry_after",
    "get_breaker",
]
