from .audit import AuthEvent, EventKind
from .guards import Dimension, LoginGuard, RateWindow
from .sessions import LoginSession, Refresh, UserEpoch, new_session_id
from .signing import KeyState, SigningKey, SpentNonce, new_keyid

__all__ = [
    "AuthEvent",
    "Dimension",
    "EventKind",
    "KeyState",
    "LoginGuard",
    "LoginSession",
    "RateWindow",
    "Refresh",
    "SigningKey",
    "SpentNonce",
    "UserEpoch",
    "new_keyid",
    "new_session_id",
]
