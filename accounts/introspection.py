"""What a token is worth at this moment (RFC 7662)."""

from contextlib import suppress
from dataclasses import dataclass

from . import errors, sessions
from .claims import Claims, TokenType
from .models import Refresh
from .owners import owner
from .tokens import AccessToken, RefreshToken, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Living:
    username: str
    claims: Claims


def introspect(raw: str) -> Living | None:
    """None for whatever would be refused: not ours, expired, revoked, used."""
    for kind in (AccessToken, RefreshToken):
        with suppress(errors.TokenInvalid):
            return _living(read(kind, raw))
    return None


def _living(claims: Claims) -> Living | None:
    user = owner(claims)
    if user is None or (claims.token_type == TokenType.REFRESH and not _unused(claims)):
        return None
    return Living(username=user.get_username(), claims=claims)


def _unused(claims: Claims) -> bool:
    return Refresh.objects.filter(pk=sessions.fingerprint(claims.jti), used_at=None).exists()
