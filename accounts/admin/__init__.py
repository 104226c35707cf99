from .events import AuthEventAdmin
from .guards import LoginGuardAdmin
from .sessions import LoginSessionAdmin
from .signing_keys import SigningKeyAdmin

__all__ = ["AuthEventAdmin", "LoginGuardAdmin", "LoginSessionAdmin", "SigningKeyAdmin"]
