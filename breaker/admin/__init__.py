"""Circuits as operators see and command them; the pages ask the store, records are of the past."""

from .circuits import BreakerStateAdmin
from .configs import BreakerConfigAdmin
from .transitions import BreakerTransitionAdmin

__all__ = ["BreakerConfigAdmin", "BreakerStateAdmin", "BreakerTransitionAdmin"]
