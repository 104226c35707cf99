"""Circuits over HTTP: everybody signed in may look, operators act.

The name of a circuit is the rest of the path, slashes and all, before what is wanted of it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import transaction
from django.utils.decorators import method_decorator
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from . import control, documents, tags
from .circuit import OVERRIDES, Verb
from .documents import Document
from .pages import Page
from .serializers import (
    CircuitListing,
    CircuitPage,
    CircuitRow,
    Command,
    Listing,
    OptionsChange,
    OverrideCommand,
    TransitionPage,
)
from .status import CircuitStatus
from .tags import Condition

ETAG = OpenApiParameter(
    "ETag",
    location=OpenApiParameter.HEADER,
    response=[200],
    required=True,
    description="Of what operators change, the epoch and the options; not of the numbers.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    location=OpenApiParameter.HEADER,
    description="An ETag: do it only if what it is to change is still the same.",
)

View = TypeVar("View", bound=type[APIView])

# A transition is on record whatever becomes of the request, and its writer must not wait for us.
own_transactions = method_decorator(transaction.non_atomic_requests, name="dispatch")


class MayCommand(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or may(request.user, "command")


def may(user: Any, permission: str) -> bool:
    """Operators are staff with a permission."""
    return bool(user.is_staff and user.has_perm(f"breaker.{permission}"))


def valid(form: type[Serializer[Any]], data: Any) -> dict[str, Any]:
    given = form(data=data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def row(request: Request, found: CircuitStatus) -> Response:
    document = shown(request, documents.circuit(found))
    return Response(document, headers={"ETag": control.tag(found)})


def condition(request: Request) -> Condition | None:
    return tags.condition(request.headers.get("If-Match"))


def shown(request: Request, document: Document) -> Document:
    """What went wrong, where, and who did what about it and why are for operators."""
    if may(request.user, "view_breakerstate"):
        return document
    return documents.public(document)


def paged(request: Request, page: Page[Any], rows: list[Document]) -> Response:
    url = request.build_absolute_uri()
    following = page.following and replace_query_param(url, "cursor", page.following)
    return Response({"results": rows, "next": following, "previous": None})


@own_transactions
class Circuits(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="breakers_list", parameters=[CircuitListing], responses=CircuitPage)
    def get(self, request: Request) -> Response:
        """All circuits of the fleet by name, those in its code that nobody called yet, too.

        While the store is out of reach those of one process, with `source` `local`; if it has
        none, 503 `breaker_unavailable`.
        """
        wanted = valid(CircuitListing, request.query_params.dict())
        page = control.page(word=wanted.pop("state", ""), **wanted)
        rows = [shown(request, document) for document in documents.circuits(page.rows)]
        return paged(request, page, rows)


@own_transactions
class OneCircuit(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="breakers_read", parameters=[ETAG], responses=CircuitRow)
    def get(self, request: Request, name: str) -> Response:
        """One circuit."""
        return row(request, control.circuit(name))


@own_transactions
class Transitions(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="breakers_transitions", parameters=[Listing], responses=TransitionPage
    )
    def get(self, request: Request, name: str) -> Response:
        """What a circuit went through, the latest first."""
        page = control.transitions(name, **valid(Listing, request.query_params.dict()))
        rows = [shown(request, documents.transition(one)) for one in page.rows]
        return paged(request, page, rows)


@own_transactions
class Config(APIView):
    permission_classes = [IsAuthenticated, MayCommand]

    @extend_schema(exclude=True)
    def get(self, request: Request, name: str) -> Response:
        """Nobody asks for the config: this circuit's name ends like that."""
        return row(request, control.circuit(f"{name}/config"))

    @extend_schema(
        operation_id="breakers_config",
        parameters=[ETAG, IF_MATCH],
        request=OptionsChange,
        responses=CircuitRow,
    )
    def patch(self, request: Request, name: str) -> Response:
        """Give a circuit options, over those in the code; null takes one back.

        All processes go by them within a second or two, and after a restart, too. With If-Match
        412 `precondition_failed` if somebody has changed the options since; without, yours join
        those that are there.
        """
        given = valid(OptionsChange, request.data)
        actor = request.user.get_username()
        found = control.configure(name, given, actor=actor, condition=condition(request))
        return row(request, found)


@own_transactions
class Act(APIView):
    """``verb`` and ``form`` are those of a subclass."""

    permission_classes = [IsAuthenticated, MayCommand]
    verb: Verb
    form: type[Command]

    @extend_schema(exclude=True)
    def get(self, request: Request, name: str) -> Response:
        """Nobody asks for a verb: this circuit's name ends like one."""
        return row(request, control.circuit(f"{name}/{self.verb}"))

    def post(self, request: Request, name: str) -> Response:
        given = valid(self.form, request.data)
        actor = request.user.get_username()
        wanted = condition(request)
        return row(request, control.act(name, self.verb, actor=actor, condition=wanted, **given))


def says(verb: Verb) -> Callable[[View], View]:
    """Make a view do this verb, and the schema tell of it."""
    form = OverrideCommand if verb in OVERRIDES else Command

    def decorated(view: View) -> View:
        view.verb, view.form = verb, form  # type: ignore[attr-defined]
        operation = f"breakers_{verb.name.lower()}"
        described = extend_schema(
            operation_id=operation,
            parameters=[ETAG, IF_MATCH],
            request=form,
            responses=CircuitRow,
        )
        return extend_schema_view(post=described)(view)

    return decorated


@says(Verb.OPEN)
class Open(Act):
    """Refuse every call, until the override ends.

    As all commands: 403 without the permission; 409 `stale_epoch` if the circuit is not in
    `expected_epoch`; 503 `breaker_unavailable` if the store does not do it. All processes obey
    within a second or two, most of them at once.
    """


@says(Verb.CLOSE)
class Close(Act):
    """End an override and close the circuit, which begins to count anew."""


@says(Verb.DISABLE)
class Disable(Act):
    """Admit every call and count none, until the override ends."""


@says(Verb.METRICS_ONLY)
class MetricsOnly(Act):
    """Admit every call, count it and draw no conclusion, until the override ends."""


@says(Verb.AUTO)
class Auto(Act):
    """End an override: the circuit goes on where it was."""


@says(Verb.RESET)
class Reset(Act):
    """Close the circuit, and forget its totals, its openings in a row and its last error."""
