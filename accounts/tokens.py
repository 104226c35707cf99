"""The two kinds of token, both bound to a login session.

Imported by name, never from the package: simplejwt's classes need loaded models.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import Token
from rest_framework_simplejwt.utils import datetime_to_epoch

from . import claims, errors, keys
from .backend import backend_of
from .claims import Claims, TokenType
from .conf import conf

if TYPE_CHECKING:
    from .models import LoginSession

# How far the clocks of two hosts may differ before a fresh token looks premature, in seconds.
SKEW = 30


class SessionToken(Token):
    claims: Claims

    @property
    def lifetime(self) -> timedelta:  # type: ignore[override]
        # simplejwt's class attribute is fixed at import, whatever the settings say later.
        access = self.token_type == TokenType.ACCESS
        return timedelta(seconds=conf().access_lifetime if access else conf().refresh_lifetime)

    def get_token_backend(self) -> TokenBackend:
        return backend_of(keys.ring())

    @classmethod
    def issue(
        cls, session: "LoginSession", *, generation: int, now: datetime, jti: str | None = None
    ) -> Self:
        """Every claim comes from the session's row, none from an older token."""
        token = cls()
        token.set_iat(at_time=now)
        token.set_exp(from_time=now, lifetime=min(token.lifetime, session.expires_at - now))
        token.payload |= {
            "iss": conf().issuer,
            "aud": conf().audience,
            "sub": str(session.user_id),
            "sid": session.pk,
            "gen": generation,
            "ep": session.epoch,
            "nbf": token["iat"],
            "jti": jti or token["jti"],
        }
        token.claims = claims.parse(token.payload)
        return token

    @classmethod
    def for_user(cls, user: Any) -> Self:
        raise TypeError("a token belongs to a login session: use accounts.sessions.start")

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.claims.exp, UTC)

    def set_jti(self) -> None:
        self["jti"] = secrets.token_urlsafe(32)

    def verify(self) -> None:
        try:
            self.claims = claims.parse(self.payload)
        except ValueError as error:
            raise TokenError("Token is invalid") from error
        expected = (conf().issuer, conf().audience, self.token_type)
        now = datetime_to_epoch(self.current_time)
        if (self.claims.iss, self.claims.aud, self.claims.token_type) != expected:
            raise TokenError("Token is meant for another use")
        if self.claims.nbf > now + SKEW:
            raise TokenError("Token is not valid yet")
        if self.claims.exp <= now:
            raise ExpiredTokenError("Token is expired")


class AccessToken(SessionToken):
    token_type = TokenType.ACCESS.value


class RefreshToken(SessionToken):
    token_type = TokenType.REFRESH.value


def read(kind: type[SessionToken], raw: str | bytes) -> Claims:
    """The claims of a token of ours that is in date. Raises TokenInvalid or TokenExpired."""
    try:
        return kind(raw).claims  # type: ignore[arg-type]
    except ExpiredTokenError as error:
        raise errors.TokenExpired from error
    except TokenError as error:
        raise errors.TokenInvalid from error
