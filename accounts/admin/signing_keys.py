from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import control
from accounts.models import SigningKey

from .records import ReadOnly


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnly):
    """Facts to read, and one thing to do with them. The secret is not among them."""

    list_display = ["name", "keyid", "owner", "state", "scopes", "not_after", "last_used_at"]
    list_filter = ["state"]
    list_select_related = ["owner"]
    search_fields = ["name", "keyid"]
    date_hierarchy = "created_at"
    readonly_fields = fields = (
        "name", "keyid", "owner", "scopes", "state", "not_before", "not_after", "last_used_at",
        "created_at",
    )  # fmt: skip
    actions = ["revoke_selected"]

    @admin.action(description="Revoke selected signing keys", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[SigningKey]) -> None:
        revoked = control.revoke_keys(queryset, actor=request.user.get_username())
        self.message_user(request, f"{revoked} signing keys revoked.", messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.revoke_signingkey")
