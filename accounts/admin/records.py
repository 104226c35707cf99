from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.utils import timezone
from django.utils.formats import date_format


def moment(at: datetime | None, form: str = "j M H:i") -> str | None:
    """Short enough for a column."""
    return None if at is None else date_format(timezone.localtime(at), form)


def counted(number: int, model: type[Model]) -> str:
    return f"{number} {model._meta.verbose_name}{pluralize(number)}"


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows are records of fact."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only with the user whose row it is: whoever may delete a user is asked for it here."""
        return obj is not None and not self._asked_by(request)

    def _asked_by(self, request: HttpRequest) -> bool:
        """Whether it is one of our own pages that asks."""
        match = request.resolver_match
        own = f"{self.opts.app_label}_{self.opts.model_name}_"
        return match is None or (match.url_name or own).startswith(own)
