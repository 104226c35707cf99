from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.password_validation import validate_password
from django.core import exceptions as django
from django.db import transaction
from django.db.models import QuerySet
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import credentials, keys, rotation, sessions
from .addresses import network
from .authentication import BearerAuthentication
from .claims import Claims
from .errors import TokenRevoked
from .models import LoginSession
from .serializers import (
    Jwks,
    Me,
    PasswordChange,
    RefreshRequest,
    Revocation,
    Revoked,
    SessionRow,
    SignIn,
    Strict,
    TokenPairReply,
)
from .sessions import Reason

# Under ATOMIC_REQUESTS an error reply rolls the request back, and a revocation with it.
own_transactions = method_decorator(transaction.non_atomic_requests, name="dispatch")


@own_transactions
class Open(APIView):
    """No header is looked at: the credential is in the body, or none is needed."""

    authentication_classes = []
    permission_classes = [AllowAny]


@own_transactions
class SignedIn(APIView):
    authentication_classes = [BearerAuthentication]
    permission_classes = [IsAuthenticated]

    @property
    def sid(self) -> str:
        return cast(Claims, self.request.auth).sid

    def own(self) -> QuerySet[LoginSession]:
        return sessions.of(cast(AbstractBaseUser, self.request.user))


class TokenView(Open):
    @extend_schema(request=SignIn, responses=TokenPairReply)
    def post(self, request: Request) -> Response:
        """Sign in with a password."""
        address = network(request.META.get("REMOTE_ADDR", ""))
        pair = credentials.sign_in(request._request, address=address, **checked(SignIn, request))
        return Response(TokenPairReply(pair).data)


class RefreshView(Open):
    @extend_schema(request=RefreshRequest, responses=TokenPairReply)
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a fresh pair. It works once."""
        pair = rotation.rotate(checked(RefreshRequest, request)["refresh"])
        return Response(TokenPairReply(pair).data)


class RevokeView(Open):
    @extend_schema(request=Revocation, responses={200: {}})
    def post(self, request: Request) -> Response:
        """End the session of a token of either kind (RFC 7009); unknown tokens succeed as well."""
        sessions.revoke(checked(Revocation, request)["token"])
        return Response({})


class JwksView(Open):
    @extend_schema(responses=Jwks)
    def get(self, request: Request) -> Response:
        """The public keys that verify tokens (RFC 7517)."""
        return Response(keys.jwks(keys.ring()), headers={"Cache-Control": "public, max-age=300"})


class LogoutView(SignedIn):
    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """End the session of the token used."""
        sessions.end(self.own().filter(pk=self.sid), reason=Reason.LOGOUT)
        return Response(status=204)


class PasswordView(SignedIn):
    @extend_schema(request=PasswordChange, responses=TokenPairReply)
    def post(self, request: Request) -> Response:
        """Change the password. Every token issued before is dead; the reply brings a fresh pair."""
        given = checked(PasswordChange, request)
        session = self.own().select_related("user").filter(pk=self.sid).first()
        if session is None:
            raise TokenRevoked
        try:
            validate_password(given["new_password"], session.user)
        except django.ValidationError as error:
            raise ValidationError({"new_password": error.messages}) from error
        pair = credentials.change_password(
            request._request,
            session=session,
            current=given["current_password"],
            new=given["new_password"],
        )
        return Response(TokenPairReply(pair).data)


class MeView(SignedIn):
    @extend_schema(responses=Me)
    def get(self, request: Request) -> Response:
        """Who the token speaks for."""
        return Response(Me(request.user, context={"session": self.sid}).data)


class Pages(CursorPagination):
    ordering = ("-created_at", "id")
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (django.ValidationError, OverflowError):
            # A made-up cursor may decode to something that is no time at all.
            raise NotFound(self.invalid_cursor_message) from None


class SessionsView(SignedIn, ListAPIView[LoginSession]):
    """The sessions of the caller that are alive, newest first."""

    serializer_class = SessionRow
    pagination_class = Pages
    queryset = LoginSession.objects.none()

    def get_queryset(self) -> QuerySet[LoginSession]:
        return self.own()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "session": self.sid}


class SessionView(SignedIn):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: str) -> Response:
        """End one session of the caller."""
        if not sessions.end(self.own().filter(pk=pk), reason=Reason.ENDED):
            raise NotFound
        return Response(status=204)


class RevokeOthersView(SignedIn):
    @extend_schema(request=None, responses=Revoked)
    def post(self, request: Request) -> Response:
        """End every session of the caller but this one."""
        ended = sessions.end(self.own().exclude(pk=self.sid), reason=Reason.ENDED)
        return Response({"revoked": ended})


def checked(form: type[Strict], request: Request) -> dict[str, Any]:
    given = form(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
