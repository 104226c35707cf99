from .audit import AuthEvent, EventKind
from .guards import Dimension, LoginGuard, RateWindow
from .sessions import LoginSession, Refresh, UserEpoch, new_session_id

__all__ = [
    "AuthEvent",
    "Dimension",
    "EventKind",
    "LoginGuard",
    "LoginSession",
    "RateWindow",
    "Refresh",
    "UserEpoch",
    "new_session_id",
]
