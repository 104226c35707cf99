"""Locks as operators see them: a page that asks the store, and records of what was done to them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from . import control
from .errors import LockError, LockInvalid, LockUnavailable
from .inspection import Hold, LockStatus
from .models import Fence, ForcedRelease, HeldLock
from .names import Kind

PAGE = 100
LIST = "admin:locking_heldlock_changelist"
LOCK = "admin:locking_heldlock_lock"


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows are records of fact."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Fence)
class FenceAdmin(ReadOnly):
    list_display = ("name", "fence")
    search_fields = ("name",)


@admin.register(ForcedRelease)
class ForcedReleaseAdmin(ReadOnly):
    list_display = ("at", "name", "kind", "actor", "reason", "outcome", "holder", "fence")
    list_filter = ("outcome",)
    search_fields = ("name", "actor", "reason")
    date_hierarchy = "at"


class ForceForm(forms.Form):
    """``fence`` is that of the holder the operator saw; no other one is meant."""

    fence = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=control.LONGEST_REASON,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text="Kept on record with your name.",
    )


def _named(request: HttpRequest) -> dict[str, Any]:
    """Raises ValueError for a kind that is none."""
    kind = Kind(request.GET.get("kind", Kind.LOCK))
    return {"name": request.GET.get("name", ""), "kind": kind}


def _meant(lock: LockStatus, fence: str | None) -> Hold | None:
    """Of several who hold it the one that was chosen, or the oldest."""
    chosen = (hold for hold in lock.holds if str(hold.holder.fence) == fence)
    return next(chosen, lock.hold)


@admin.register(HeldLock)
class HeldLockAdmin(ReadOnly):
    """There is no table: each page is what the store says now."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="locking_heldlock_changelist"),
            path("lock/", view(self.lock_view), name="locking_heldlock_lock"),
        ]

    def has_force_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("locking.force_release")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._admit(request)
        try:
            page = control.held(cursor=request.GET.get("cursor"), limit=PAGE)
        except LockInvalid:
            return HttpResponseRedirect(reverse(LIST))
        except LockUnavailable as error:
            return self._page(request, "list", status=error.status, error=str(error))
        return self._page(request, "list", title="Locks held", page=page)

    def lock_view(self, request: HttpRequest) -> HttpResponse:
        self._admit(request)
        try:
            found = control.detail(**_named(request))
        except (LockInvalid, ValueError):
            return HttpResponseRedirect(reverse(LIST))
        except LockUnavailable as error:
            return self._page(request, "lock", status=error.status, error=str(error))
        hold = _meant(found, request.GET.get("fence"))
        may = self.has_force_permission(request)
        fence = hold.holder.fence if hold else None
        form = ForceForm(request.POST or None, initial={"fence": fence}, label_suffix="")
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            if form.is_valid():
                return self._force(request, **form.cleaned_data)
        return self._page(
            request, "lock", title=found.name, lock=found, hold=hold, form=form, may=may
        )

    def _admit(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _force(self, request: HttpRequest, *, fence: int, reason: str) -> HttpResponse:
        actor, meant = request.user.get_username(), _named(request)
        try:
            record = control.force_release(**meant, fence=fence, actor=actor, reason=reason)
        except LockError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(f"{reverse(LOCK)}?{urlencode(meant)}")
        name = meant["name"]
        self.log_addition(request, record, [{"added": {"name": "release", "object": name}}])
        said = f"Lock “{name}” was taken from its holder."
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(reverse(LIST))

    def _page(
        self, request: HttpRequest, template: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            f"admin/locking/heldlock/{template}.html",
            {**self.admin_site.each_context(request), "opts": self.opts, **context},
            status=status,
        )
