"""Options at run time, as operators give them."""

from contextlib import suppress
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from breaker import configs, control
from breaker.errors import ConfigUnknown, PolicyError
from breaker.forms import OPTIONS, ConfigForm
from breaker.models import BreakerConfig
from breaker.patterns import matches

CHANGE = "admin:breaker_breakerconfig_change"


@admin.register(BreakerConfig)
class BreakerConfigAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ConfigForm
    list_display = ["pattern", "told", "enabled", "version", "updated_at", "updated_by"]
    list_filter = ["enabled"]
    search_fields = ["pattern"]
    fieldsets = [
        (None, {"fields": ["pattern", "enabled"]}),
        (
            "Options",
            {
                "fields": [*OPTIONS],
                "description": "What is left empty is as code and settings say. "
                "All processes go by a change within a second or two.",
            },
        ),
    ]

    @admin.display(description="options")
    def told(self, row: BreakerConfig) -> str:
        return ", ".join(f"{name}={value}" for name, value in sorted(row.given.items())) or "-"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["pattern"] if obj else []

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who comes from a circuit that is configured already is led there."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        pattern = request.GET.get("pattern", "").replace("\0", "")
        row = BreakerConfig.objects.filter(pattern=pattern).first()
        if row and request.method == "GET":
            return HttpResponseRedirect(reverse(CHANGE, args=[row.pk]))
        return super().add_view(request, form_url, extra_context)

    def changeform_view(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **more)
        except PolicyError as error:
            # What the form found sound clashes with what somebody saved meanwhile.
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: BreakerConfig, form: Any, change: bool) -> None:
        # What is empty now is taken back.
        told = dict.fromkeys(form.before) | obj.options
        actor = request.user.get_username()
        row = configs.save(obj.pattern, told, actor=actor, enabled=obj.enabled)
        obj.pk, obj.version = row.pk, row.version
        if not any(matches(row.pattern, one.name) for one in control.circuits()):
            said = f"No circuit has a name like “{row.pattern}” yet."
            self.message_user(request, said, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: BreakerConfig) -> None:
        with suppress(ConfigUnknown):  # somebody was faster
            configs.remove(obj.pattern, actor=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[BreakerConfig]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request) or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def _may(self, request: HttpRequest) -> bool:
        return request.user.has_perm("breaker.command")
