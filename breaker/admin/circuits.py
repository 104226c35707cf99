"""The pages of circuits, and what can be said to them."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from breaker import control
from breaker.circuit import Verb
from breaker.errors import BreakerError, BreakerUnavailable, CircuitUnknown
from breaker.forms import CommandForm
from breaker.models import BreakerState, BreakerTransition
from breaker.patterns import literal
from breaker.status import WORDS, CircuitStatus
from breaker.templatetags.circuits import LABELS

from .records import ReadOnly

PAGE, PAST = 100, 20
LIST = "admin:breaker_breakerstate_changelist"
CIRCUIT = "admin:breaker_breakerstate_circuit"
CONFIG = "admin:breaker_breakerconfig_add"


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
        """Who may command sees the circuits, and no row of them: it tells all there is."""
        may_look = self.has_command_permission(request) and obj is None
        return may_look or super().has_view_permission(request, obj)

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
            private=self._may_read(request),
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

    def _may_read(self, request: HttpRequest) -> bool:
        """What went wrong, where, and who did what about it and why, as over HTTP."""
        return super().has_view_permission(request)

    def _admit(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _shown(self, request: HttpRequest, found: CircuitStatus, **context: Any) -> HttpResponse:
        past, force = control.transitions(found.name, limit=PAST), control.policy(found.name)
        return self._page(
            request,
            "circuit",
            title=found.name,
            circuit=found,
            private=self._may_read(request),
            past=past.rows,
            more=past.following and request.user.has_perm("breaker.view_breakertransition"),
            options=asdict(force).items(),
            configured=control.configured(found.name, force),
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
