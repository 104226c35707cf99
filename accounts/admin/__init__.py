from .events import AuthEventAdmin
from .guards import LoginGuardAdmin
from .sessions import LoginSessionAdmin

__all__ = ["AuthEventAdmin", "LoginGuardAdmin", "LoginSessionAdmin"]
