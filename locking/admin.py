from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .models import Fence


@admin.register(Fence)
class FenceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "fence")
    search_fields = ("name",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
