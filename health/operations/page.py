"""The page itself: rendered whole, then asked for again and again by its script."""

import time
from hashlib import sha256
from typing import Any, TypeVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.cache import get_conditional_response
from django.utils.http import http_date

from health import checker
from health.models import Operations

from .sections import Section, sections

Response = TypeVar("Response", bound=HttpResponseBase)
EVERY = (1, 2, 5, 10, 30)
"""Seconds between two looks that an operator may choose from."""


@admin.register(Operations)
class OperationsAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """There is no table: what is shown is what this process knows now."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="health_operations_changelist"),
            path("panels/", view(self.panels_view), name="health_operations_panels"),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "is_nav_sidebar_enabled": False,  # the page wants the room
            "opts": self.opts,
            "title": "Operations",
            "every": EVERY,
            "sections": self._sections(request),
        }
        page = TemplateResponse(request, "admin/health/operations/page.html", context)
        return _dated(page)

    def panels_view(self, request: HttpRequest) -> HttpResponse:
        """The sections alone, or 304 for who has shown them as they are."""
        shown = self._sections(request)
        tag = f'"{_version(shown)}"'
        if fresh := get_conditional_response(request, etag=tag):
            return _dated(fresh)
        template = "admin/health/operations/panels.html"
        page = TemplateResponse(request, template, {"sections": shown}, headers={"ETag": tag})
        return _dated(page)

    def _sections(self, request: HttpRequest) -> list[Section]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        running = checker.current()
        may = request.user.has_perm
        return list(sections(running.edition.snapshot, stale=running.stale, may=may))


def _version(shown: list[Section]) -> str:
    return sha256(" ".join(one.version for one in shown).encode()).hexdigest()[:16]


def _dated(response: Response) -> Response:
    """``Date`` is for the moments on the page, ``Age`` that of what it says."""
    taken = checker.current().edition.snapshot.taken
    response.headers["Date"] = http_date()
    response.headers["Age"] = str(max(0, int(time.monotonic() - taken)))
    return response
