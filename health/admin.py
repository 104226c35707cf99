"""What happened and what was said about it; silences may be added, and ended before their time."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from .models import Alert, HealthTransition, Silence
from .operations.page import OperationsAdmin

__all__ = ["AlertAdmin", "HealthTransitionAdmin", "OperationsAdmin", "SilenceAdmin"]


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows are records of fact."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(HealthTransition)
class HealthTransitionAdmin(ReadOnly):
    list_display = ("at", "service", "component", "node", "before", "after", "reason", "source")
    list_filter = ("service", "after")
    search_fields = ("service", "component", "node")
    date_hierarchy = "at"


@admin.register(Alert)
class AlertAdmin(ReadOnly):
    list_display = (
        "alert", "origin", "service", "component", "node", "severity", "state", "reason",
        "fired_at", "resolved_at",
    )  # fmt: skip
    list_filter = ("state", "origin", "severity", "alert")
    search_fields = ("alert", "service", "component", "summary")


@admin.register(Silence)
class SilenceAdmin(ReadOnly):
    list_display = ("alert", "service", "author", "reason", "created_at", "expires_at", "active")
    search_fields = ("alert", "service", "author", "reason")
    fields = ("alert", "service", "reason", "expires_at")
    actions = ("end",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("health.change_silence")

    def save_model(self, request: HttpRequest, obj: Silence, form: Any, change: bool) -> None:
        obj.author = request.user.get_username()
        super().save_model(request, obj, form, change)

    @admin.action(description="End the selected silences now", permissions=["end"])
    def end(self, request: HttpRequest, queryset: Any) -> None:
        now = timezone.now()
        ended = queryset.filter(expires_at__gt=now).update(expires_at=now)
        self.message_user(request, f"{ended} ended.")

    @admin.display(boolean=True)
    def active(self, silence: Silence) -> bool:
        return silence.created_at <= timezone.now() < silence.expires_at
