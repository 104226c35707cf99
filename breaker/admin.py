"""Circuits as operators see and command them; the pages ask the store, records are of the past."""

from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from . import configs, control
from .circuit import Verb
from .errors import BreakerError, BreakerUnavailable, CircuitUnknown, ConfigUnknown, PolicyError
from .forms import OPTIONS, CommandForm, ConfigForm
from .models import BreakerConfig, BreakerState, BreakerTransition
from .patterns import literal, matches
from .status import WORDS, CircuitStatus, said
from .templatetags.circuits import LABELS, badge

PAGE, PAST = 100, 20
LIST = "admin:breaker_breakerstate_changelist"
CIRCUIT = "admin:breaker_breakerstate_circuit"
CONFIG, CHANGE = "admin:breaker_breakerconfig_add", "admin:breaker_breakerconfig_change"


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows are records of fact."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def urgency(found: CircuitStatus) -> tuple[bool, str]:
    return found.word == "closed", found.name


@admin.register(BreakerState)
class BreakerStateAdmin(ReadOnly):
    """The rows are what is left when the store forgets; the pages are what the store says now."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.circuit_view)
        return [
            path("circuit/", view, name="breaker_breakerstate_circuit"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_command_permission(request) or super().has_view_permission(request, obj)

    def has_command_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("breaker.command")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._admit(request)
        q, word = request.GET.get("q", ""), request.GET.get("state", "")
        control.recall()
        named = [one for one in control.circuits() if q in one.name]
        counted = Counter(one.word for one in named)
        rows = sorted((one for one in named if word in ("", one.word)), key=urgency)
        return self._page(
            request,
            "list",
            title="Circuit breakers",
            page=Paginator(rows, PAGE).get_page(request.GET.get("p")),
            counts=[(one, counted[one]) for one in WORDS if counted[one]],
            total=len(named),
            shared=control.shared(),
            q=q,
            word=word,
        )

    def circuit_view(self, request: HttpRequest) -> HttpResponse:
        self._admit(request)
        try:
            found = control.circuit(request.GET.get("name", ""))
        except CircuitUnknown as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(reverse(LIST))
        except BreakerUnavailable as error:
            return self._page(request, "circuit", status=error.status, error=str(error))
        may = self.has_command_permission(request)
        form = CommandForm(request.POST or None, initial={"epoch": found.epoch}, label_suffix="")
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            if form.is_valid():
                return self._command(request, found.name, **form.cleaned_data)
        return self._shown(request, found, form=form, may=may)

    def _admit(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _shown(self, request: HttpRequest, found: CircuitStatus, **context: Any) -> HttpResponse:
        past = control.transitions(found.name, limit=PAST)
        return self._page(
            request,
            "circuit",
            title=found.name,
            circuit=found,
            past=past.rows,
            more=past.following,
            options=asdict(control.policy(found.name)).items(),
            configured=configs.of(found.name),
            config=f"{reverse(CONFIG)}?{urlencode({'pattern': literal(found.name)})}",
            **context,
        )

    def _command(
        self,
        request: HttpRequest,
        name: str,
        *,
        epoch: int,
        verb: str,
        reason: str,
        lasting: float | None,
    ) -> HttpResponse:
        actor = request.user.get_username()
        try:
            done = control.act(
                name, Verb(verb), actor=actor, reason=reason, expires_in=lasting,
                expected_epoch=epoch,
            )  # fmt: skip
        except BreakerError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self._log(request, done)
            said = f"The circuit “{name}” is {LABELS[done.word]} now."
            self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(f"{reverse(CIRCUIT)}?{urlencode({'name': name})}")

    def _log(self, request: HttpRequest, done: CircuitStatus) -> None:
        """Among the operator's recent actions, if the record of it is written already."""
        rows = BreakerTransition.objects.filter(name=done.name, epoch=done.epoch)
        for record in rows:
            self.log_addition(request, record, [{"added": {"name": "word", "object": str(record)}}])

    def _page(
        self, request: HttpRequest, template: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            f"admin/breaker/breakerstate/{template}.html",
            {**self.admin_site.each_context(request), "opts": self.opts, **context},
            status=status,
        )


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


@admin.register(BreakerConfig)
class BreakerConfigAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ConfigForm
    list_display = ["pattern", "told", "enabled", "version", "updated_at", "updated_by"]
    list_filter = ["enabled"]
    search_fields = ["pattern"]
    fieldsets = [
        (None, {"fields": ["pattern", "enabled"]}),
        (
            "Options",
            {
                "fields": [*OPTIONS],
                "description": "What is left empty is as code and settings say. "
                "All processes go by a change within a second or two.",
            },
        ),
    ]

    @admin.display(description="options")
    def told(self, row: BreakerConfig) -> str:
        return ", ".join(f"{name}={value}" for name, value in sorted(row.given.items())) or "-"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["pattern"] if obj else []

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who comes from a circuit that is configured already is led there."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        pattern = request.GET.get("pattern", "").replace("\0", "")
        row = BreakerConfig.objects.filter(pattern=pattern).first()
        if row and request.method == "GET":
            return HttpResponseRedirect(reverse(CHANGE, args=[row.pk]))
        return super().add_view(request, form_url, extra_context)

    def changeform_view(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **more)
        except PolicyError as error:
            # What the form found sound clashes with what somebody saved meanwhile.
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: BreakerConfig, form: Any, change: bool) -> None:
        # What is empty now is taken back.
        told = dict.fromkeys(form.before) | obj.options
        actor = request.user.get_username()
        row = configs.save(obj.pattern, told, actor=actor, enabled=obj.enabled)
        obj.pk, obj.version = row.pk, row.version
        if not any(matches(row.pattern, one.name) for one in control.circuits()):
            said = f"No circuit has a name like “{row.pattern}” yet."
            self.message_user(request, said, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: BreakerConfig) -> None:
        with suppress(ConfigUnknown):  # somebody was faster
            configs.remove(obj.pattern, actor=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[BreakerConfig]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request) or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def _may(self, request: HttpRequest) -> bool:
        return request.user.has_perm("breaker.command")
