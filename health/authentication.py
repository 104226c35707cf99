"""Who may tell us of alerts: whoever has a token of ``HEALTH["ALERTS"]["HOOK_TOKENS"]``."""

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from .conf import alert_settings
from .tokens import bears_one_of


class HookAuthentication(BaseAuthentication):
    """No user: a token that lets a machine tell alerts lets it do nothing else."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, str] | None:
        authorization = request.headers.get("Authorization", "")
        if not authorization:
            return None
        wanted = alert_settings()
        if wanted is None or not bears_one_of(wanted.hook_tokens, authorization):
            raise AuthenticationFailed("This token is not known.")
        return AnonymousUser(), "hook"

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasToken(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.auth is not None
