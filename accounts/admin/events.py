from django.contrib import admin

from accounts.models import AuthEvent

from .records import ReadOnly


@admin.register(AuthEvent)
class AuthEventAdmin(ReadOnly):
    list_display = ["at", "kind", "user", "network", "device", "detail"]
    list_filter = ["kind"]
    list_select_related = ["user"]
    search_fields = ["user__username", "network", "account", "detail"]
    date_hierarchy = "at"
