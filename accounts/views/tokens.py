"""Tokens: got by a password, exchanged, ended; and the keys that verify them."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import credentials, keys, rotation, sessions
from accounts.addresses import network
from accounts.authentication import BearerAuthentication
from accounts.errors import TokenInvalid
from accounts.introspection import introspect
from accounts.keys import PUBLISHED_FOR
from accounts.scopes import Scope
from accounts.serializers import (
    Introspection,
    IntrospectionReply,
    Jwks,
    RefreshRequest,
    Revocation,
    SignedInReply,
    SignIn,
    TokenPairReply,
)
from accounts.signing import SignatureAuthentication

from .access import Open, SignedIn, checked

# Of the claims.
INTROSPECTED = "sub", "sid", "token_type", "iat", "exp"


class TokenView(Open):
    @extend_schema(request=SignIn, responses=SignedInReply)
    def post(self, request: Request) -> Response:
        """Sign in with a password."""
        address = network(request.META.get("REMOTE_ADDR", ""))
        pair = credentials.sign_in(request._request, address=address, **checked(SignIn, request))
        return Response(SignedInReply(pair).data)


class RefreshView(Open):
    @extend_schema(request=RefreshRequest, responses=TokenPairReply)
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a fresh pair. It works once."""
        pair = rotation.rotate(checked(RefreshRequest, request)["refresh"])
        return Response(TokenPairReply(pair).data)


class RevokeView(Open):
    @extend_schema(request=Revocation, responses={200: {"type": "object", "maxProperties": 0}})
    def post(self, request: Request) -> Response:
        """End the session of a token of either kind (RFC 7009); unknown tokens succeed as well.

        Whoever has a token may end it. With a bearer token in the header it has to be one's own.
        """
        sessions.revoke(checked(Revocation, request)["token"], caller=_caller(request))
        return Response({})


def _caller(request: Request) -> str | None:
    try:
        found = BearerAuthentication().authenticate(request)
    except TokenInvalid:
        return None
    return found and found[1].sub


class IntrospectView(SignedIn):
    authentication_classes = [BearerAuthentication, SignatureAuthentication]
    # Of signed requests too: a key does nothing that its owner may not do any more.
    permission_classes = [IsAdminUser]
    scope = Scope.INTROSPECT

    @extend_schema(request=Introspection, responses=IntrospectionReply)
    def post(self, request: Request) -> Response:
        """What a token of either kind is worth at this moment (RFC 7662)."""
        found = introspect(checked(Introspection, request)["token"])
        if found is None:
            return Response({"active": False})
        told = {name: getattr(found.claims, name) for name in INTROSPECTED}
        return Response({"active": True, "username": found.username, **told})


class JwksView(Open):
    @extend_schema(operation_id="jwks_read", responses=Jwks)
    def get(self, request: Request) -> Response:
        """The public keys that verify tokens (RFC 7517)."""
        document = keys.jwks(keys.ring(), now=timezone.now())
        return Response(document, headers={"Cache-Control": f"public, max-age={PUBLISHED_FOR}"})
