"""Who is locked out, for operators."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import lockouts
from accounts.models import LoginGuard
from accounts.serializers import LockoutRow, Reason

from .access import Pages, SignedIn, checked


class Operates(BasePermission):
    """Operators are staff with a permission."""

    permission = ""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user: Any = request.user
        return bool(user.is_staff and user.has_perm(f"accounts.{self.permission}"))


class MayLook(Operates):
    permission = "view_loginguard"


class MayUnlock(Operates):
    permission = "unlock_loginguard"


class LockoutPages(Pages):
    ordering = ("-touched_at", "id")


@extend_schema_view(get=extend_schema(responses=LockoutRow))
class LockoutsView(SignedIn, ListAPIView[LoginGuard]):
    """The accounts that are locked, the latest first."""

    permission_classes = [*SignedIn.permission_classes, MayLook]
    serializer_class = LockoutRow
    pagination_class = LockoutPages
    queryset = LoginGuard.objects.none()

    def get_queryset(self) -> QuerySet[LoginGuard]:
        return lockouts.locked()

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        self.networks = lockouts.networks(page or ())
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "networks": self.networks}


class UnlockView(SignedIn):
    permission_classes = [*SignedIn.permission_classes, MayUnlock]

    @extend_schema(request=Reason, responses=LockoutRow)
    def post(self, request: Request, pk: int) -> Response:
        """Unlock an account, and its owner's devices with it."""
        reason = checked(Reason, request)["reason"]
        chosen = LoginGuard.objects.filter(pk=pk).select_related("user")
        if not chosen.exists():
            raise NotFound
        lockouts.unlock(chosen, actor=request.user.get_username(), reason=reason)
        guard = chosen.get()
        networks = lockouts.networks([guard])
        return Response(LockoutRow(guard, context={"networks": networks}).data)
