from django.contrib import admin
from django.utils.safestring import SafeString

from breaker.models import BreakerTransition
from breaker.status import said
from breaker.templatetags.circuits import badge

from .records import ReadOnly


@admin.register(BreakerTransition)
class BreakerTransitionAdmin(ReadOnly):
    list_display = ["at", "name", "was", "became", "why", "last_error"]
    list_filter = ["to_state", ("actor", admin.EmptyFieldListFilter)]
    search_fields = ["name", "reason", "actor"]
    date_hierarchy = "at"

    class Media:
        css = {"all": ["breaker/admin.css"]}

    @admin.display(description="from", ordering="from_state")
    def was(self, row: BreakerTransition) -> SafeString:
        return badge(row.from_state)

    @admin.display(ordering="reason")
    def why(self, row: BreakerTransition) -> str:
        return said(row)

    @admin.display(description="to", ordering="to_state")
    def became(self, row: BreakerTransition) -> SafeString:
        return badge(row.to_state)
