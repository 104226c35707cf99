from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import control
from accounts.models import KeyState, SigningKey

from .records import ReadOnly, counted, moment


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnly):
    """Facts to read, and one thing to do with them. The secret is not among them."""

    list_display = ["name", "keyid", "owner", "life", "may", "used"]
    list_filter = ["state"]
    list_select_related = ["owner"]
    search_fields = ["name", "keyid", "owner__username"]
    date_hierarchy = "created_at"
    readonly_fields = fields = (
        "name", "keyid", "owner", "may", "life", "not_before", "not_after", "last_used_at",
        "created_at",
    )  # fmt: skip
    ordering = ["-created_at"]
    actions = ["revoke_selected"]

    @admin.display(description="state", ordering="state")
    def life(self, key: SigningKey) -> str:
        """Expired keys have no state of their own: nothing happens to a key at its end."""
        now = timezone.now()
        if key.state != KeyState.REVOKED and key.not_after is not None and key.not_after <= now:
            return "expired"
        if key.state == KeyState.RETIRING and key.not_after is not None:
            return f"replaced, until {moment(key.not_after)}"
        return key.state if key.not_before <= now else "not valid yet"

    @admin.display(description="last used", ordering="last_used_at")
    def used(self, key: SigningKey) -> str | None:
        return moment(key.last_used_at)

    @admin.display(description="scopes")
    def may(self, key: SigningKey) -> str:
        return ", ".join(key.scopes)

    @admin.action(description="Revoke selected signing keys", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[SigningKey]) -> None:
        revoked = control.revoke_keys(queryset, actor=request.user.get_username())
        self.message_user(request, f"{counted(revoked, SigningKey)} revoked.", messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.revoke_signingkey")
