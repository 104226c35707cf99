from django.db import transaction
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import credentials, sessions
from .addresses import network
from .serializers import RefreshRequest, SignIn, TokenPairReply


# Under ATOMIC_REQUESTS an error reply rolls the request back, and a revocation with it.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class Open(APIView):
    """For calls whose body is the credential; a stale Authorization header must not refuse them."""

    authentication_classes = []
    permission_classes = [AllowAny]


class TokenView(Open):
    @extend_schema(request=SignIn, responses=TokenPairReply)
    def post(self, request: Request) -> Response:
        """Sign in."""
        given = SignIn(data=request.data)
        given.is_valid(raise_exception=True)
        address = network(request.META.get("REMOTE_ADDR", ""))
        pair = credentials.sign_in(request._request, address=address, **given.validated_data)
        return Response(TokenPairReply(pair).data)


class RefreshView(Open):
    @extend_schema(request=RefreshRequest, responses=TokenPairReply)
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a fresh pair; it works once."""
        given = RefreshRequest(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(TokenPairReply(sessions.rotate(given.validated_data["refresh"])).data)
