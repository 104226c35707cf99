from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import control
from accounts.models import LoginSession

from .records import ReadOnly, counted, moment


class Life(admin.SimpleListFilter):
    title = "life"
    parameter_name = "life"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("alive", "alive"), ("over", "over")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoginSession]
    ) -> QuerySet[LoginSession]:
        alive = Q(revoked_at=None, expires_at__gt=timezone.now())
        match self.value():
            case "alive":
                return queryset.filter(alive)
            case "over":
                return queryset.exclude(alive)
        return queryset


@admin.register(LoginSession)
class LoginSessionAdmin(ReadOnly):
    """Facts to read, and one thing to do with them. Refresh tokens are not shown at all."""

    list_display = ["user", "device", "state", "address", "begun", "used"]
    list_filter = [Life]
    list_select_related = ["user"]
    search_fields = ["user__username", "device", "id__startswith"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    actions = ["end_selected", "end_all_of_users"]

    @admin.display(ordering="revoked_at")
    def state(self, session: LoginSession) -> str:
        if session.revoked_at is not None:
            return session.reason or "ended"
        return "alive" if session.expires_at > timezone.now() else "its time is over"

    @admin.display(description="last used", ordering="last_used_at")
    def used(self, session: LoginSession) -> str | None:
        return moment(session.last_used_at)

    @admin.display(description="begun", ordering="created_at")
    def begun(self, session: LoginSession) -> str | None:
        return moment(session.created_at)

    @admin.action(description="End selected login sessions", permissions=["end"])
    def end_selected(self, request: HttpRequest, queryset: QuerySet[LoginSession]) -> None:
        reason = f"ended by {request.user.get_username()}"
        ended = control.end_sessions(queryset, reason=reason)
        self.message_user(request, f"{counted(ended, LoginSession)} ended.", messages.SUCCESS)

    @admin.action(description="End every session of their users", permissions=["end"])
    def end_all_of_users(self, request: HttpRequest, queryset: QuerySet[LoginSession]) -> None:
        reason = f"all ended by {request.user.get_username()}"
        users = get_user_model()._default_manager.filter(pk__in=queryset.values("user"))
        ended = sum(control.revoke(user, reason=reason) for user in users)
        self.message_user(request, f"{counted(ended, LoginSession)} ended.", messages.SUCCESS)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.end_loginsession")
