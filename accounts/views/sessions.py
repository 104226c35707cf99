"""The caller, and the sessions of the caller."""

from typing import Any, cast

from django.contrib.auth.password_validation import validate_password
from django.core import exceptions as django
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import credentials, sessions
from accounts.errors import TokenRevoked
from accounts.farewell import FORGET
from accounts.models import LoginSession
from accounts.serializers import Me, Nothing, PasswordChange, Revoked, SessionRow, TokenPairReply
from accounts.sessions import Reason

from .access import Pages, SignedIn, checked


class MeView(SignedIn):
    @extend_schema(responses=Me)
    def get(self, request: Request) -> Response:
        """Who the token speaks for."""
        return Response(Me(request.user, context={"session": self.sid}).data)


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


class LogoutView(SignedIn):
    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """End the session of the token used."""
        checked(Nothing, request)
        sessions.end(self.own().filter(pk=self.sid), reason=Reason.LOGOUT)
        return Response(status=204, headers=FORGET)


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
        """End one session of the caller. Repeating it is no error."""
        checked(Nothing, request)
        chosen = LoginSession.objects.filter(user_id=cast(Any, request.user).pk, pk=pk)
        if not sessions.end(chosen, reason=Reason.ENDED) and not chosen.exists():
            raise NotFound
        return Response(status=204)


class RevokeOthersView(SignedIn):
    @extend_schema(request=None, responses=Revoked)
    def post(self, request: Request) -> Response:
        """End every session of the caller but this one."""
        checked(Nothing, request)
        ended = sessions.end(self.own().exclude(pk=self.sid), reason=Reason.ENDED)
        return Response({"revoked": ended})
