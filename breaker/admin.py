from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from .models import BreakerState, BreakerTransition


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows are records of fact."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(BreakerState)
class BreakerStateAdmin(ReadOnly):
    list_display = ["name", "badge", "open_until", "attempt", "last_error", "changed_at"]
    list_filter = ["state"]
    search_fields = ["name"]

    class Media:
        css = {"all": ["breaker/admin.css"]}

    @admin.display(description="state", ordering="state")
    def badge(self, row: BreakerState) -> SafeString:
        return format_html(
            '<span class="breaker-badge breaker-{}">{}</span>', row.state, row.get_state_display()
        )


@admin.register(BreakerTransition)
class BreakerTransitionAdmin(ReadOnly):
    list_display = ["at", "name", "from_state", "to_state", "reason", "last_error", "host", "pid"]
    list_filter = ["to_state", "reason"]
    search_fields = ["name"]
    date_hierarchy = "at"
