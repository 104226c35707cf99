from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import control
from accounts.models import LoginSession


@admin.register(LoginSession)
class LoginSessionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Facts to read, and one thing to do with them. Refresh tokens are not shown at all."""

    list_display = [
        "user",
        "device",
        "address",
        "created_at",
        "last_used_at",
        "revoked_at",
        "reason",
    ]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["user__username", "device"]
    date_hierarchy = "created_at"
    actions = ["end_selected"]

    @admin.action(description="End selected login sessions", permissions=["end"])
    def end_selected(self, request: HttpRequest, queryset: QuerySet[LoginSession]) -> None:
        reason = f"ended by {request.user.get_username()}"
        ended = control.end_sessions(queryset, reason=reason)
        self.message_user(request, f"{ended} login sessions ended.", messages.SUCCESS)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.end_loginsession")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: LoginSession | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LoginSession | None = None) -> bool:
        return False
