"""DRF's authentication by bearer token: one query, so a revoked token dies with the commit."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import InterfaceError, OperationalError
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from . import errors, revocation
from .claims import Claims
from .owners import owner
from .tokens import AccessToken, read


class BearerAuthentication(BaseAuthentication):
    """``request.auth`` becomes the token's claims."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Claims] | None:
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        claims = read(AccessToken, token)
        try:
            user = owner(claims)
        except (OperationalError, InterfaceError) as error:
            if revocation.has_ended(claims.sid):
                raise errors.TokenRevoked from error
            raise errors.DatabaseUnavailable(retry_after=1) from error
        if user is None:
            raise errors.TokenRevoked
        return user, claims

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
