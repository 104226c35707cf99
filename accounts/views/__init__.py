from .sessions import (
    LogoutView,
    MeView,
    PasswordView,
    RevokeOthersView,
    SessionsView,
    SessionView,
)
from .tokens import JwksView, RefreshView, RevokeView, TokenView

__all__ = [
    "JwksView",
    "LogoutView",
    "MeView",
    "PasswordView",
    "RefreshView",
    "RevokeOthersView",
    "RevokeView",
    "SessionView",
    "SessionsView",
    "TokenView",
]
