from django.contrib import admin

from accounts.models import AuthEvent

from .records import ReadOnly, moment


@admin.register(AuthEvent)
class AuthEventAdmin(ReadOnly):
    list_display = ["when", "kind", "who", "network", "device", "detail"]
    list_filter = ["kind"]
    list_select_related = ["user"]
    search_fields = ["user__username", "network", "account", "detail"]
    date_hierarchy = "at"

    @admin.display(description="at", ordering="at")
    def when(self, event: AuthEvent) -> str | None:
        return moment(event.at, "j M H:i:s")

    @admin.display(description="account", ordering="user")
    def who(self, event: AuthEvent) -> str | None:
        """As lockouts call it."""
        if event.user is not None:
            return event.user.get_username()
        return f"no user ({event.account[:8]})" if event.account else None
