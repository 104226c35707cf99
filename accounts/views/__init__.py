from .lockouts import LockoutsView, UnlockView
from .sessions import (
    LogoutView,
    MeView,
    PasswordView,
    RevokeOthersView,
    SessionsView,
    SessionView,
)
from .signing_keys import RotateKeyView, SigningKeysView, SigningKeyView
from .tokens import IntrospectView, JwksView, RefreshView, RevokeView, TokenView

__all__ = [
    "IntrospectView",
    "JwksView",
    "LockoutsView",
    "LogoutView",
    "MeView",
    "PasswordView",
    "RefreshView",
    "RevokeOthersView",
    "RevokeView",
    "RotateKeyView",
    "SessionView",
    "SessionsView",
    "SigningKeyView",
    "SigningKeysView",
    "TokenView",
    "UnlockView",
]
