from django.contrib import admin
from django.http import HttpRequest

from .models import Generation, GenerationResult


class ReadOnly:
    """Generations are records of what was ordered and paid for."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class ResultInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = GenerationResult
    fields = ["n", "media_type", "size"]
    extra = 0


@admin.register(Generation)
class GenerationAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = [
        "id", "service", "model", "status", "user", "created_at", "finished_at",
    ]  # fmt: skip
    list_filter = ["service", "status", "model"]
    list_select_related = ["user"]
    search_fields = ["id", "idempotency_key"]
    date_hierarchy = "created_at"
    inlines = [ResultInline]
