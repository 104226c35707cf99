from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import lockouts
from accounts.models import LoginGuard

from .records import ReadOnly, moment


class ReasonForm(ActionForm):
    reason = forms.CharField(label="Reason:", max_length=200, required=False)


class LockedNow(admin.SimpleListFilter):
    title = "lock"
    parameter_name = "locked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "locked now"), ("no", "not locked")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoginGuard]
    ) -> QuerySet[LoginGuard]:
        locked = Q(hard=True) | Q(locked_until__gt=timezone.now())
        match self.value():
            case "yes":
                return queryset.filter(locked)
            case "no":
                return queryset.exclude(locked)
        return queryset


@admin.register(LoginGuard)
class LoginGuardAdmin(ReadOnly):
    """Accounts somebody failed to log in to: those locked can be unlocked here."""

    list_display = [
        "account", "dimension", "lock", "failed", "level", "addresses", "tried",
    ]  # fmt: skip
    list_filter = [LockedNow, "dimension"]
    list_select_related = ["user"]
    search_fields = ["user__username", "digest"]
    ordering = ["-touched_at"]
    actions = ["unlock_selected", "lock_selected"]
    action_form = ReasonForm

    class Media:
        css: ClassVar = {"all": ["accounts/admin.css"]}

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page: Any = super().get_changelist_instance(request)
        found = lockouts.networks(page.result_list)
        for guard in page.result_list:
            guard.networks = found.get(guard.digest, [])
        return page

    @admin.display(description="account", ordering="user")
    def account(self, guard: LoginGuard) -> str:
        return guard.user.get_username() if guard.user else f"no user ({guard.digest[:8]})"

    @admin.display(description="locked", ordering="locked_until")
    def lock(self, guard: LoginGuard) -> str:
        if guard.hard:
            return "until unlocked"
        if guard.locked_until is None or guard.locked_until <= timezone.now():
            return "no"
        return f"until {moment(guard.locked_until)}"

    @admin.display(description="last try", ordering="touched_at")
    def tried(self, guard: LoginGuard) -> str | None:
        return moment(guard.touched_at)

    @admin.display(description="came from")
    def addresses(self, guard: Any) -> str:
        return ", ".join(guard.networks)

    @admin.action(description="Unlock selected accounts", permissions=["unlock"])
    def unlock_selected(self, request: HttpRequest, queryset: QuerySet[LoginGuard]) -> None:
        self._act(request, queryset, lockouts.unlock, "unlocked")

    @admin.action(description="Lock selected accounts until unlocked", permissions=["unlock"])
    def lock_selected(self, request: HttpRequest, queryset: QuerySet[LoginGuard]) -> None:
        self._act(request, queryset, lockouts.lock_hard, "locked")

    def _act(
        self,
        request: HttpRequest,
        queryset: QuerySet[LoginGuard],
        verb: Callable[..., int],
        done: str,
    ) -> None:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, "Say why: the reason is kept on record.", messages.ERROR)
            return
        count = verb(queryset, actor=request.user.get_username(), reason=reason)
        self.message_user(request, f"{count} {done}.", messages.SUCCESS)

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.unlock_loginguard")
