"""Who may call a view, and how its body and its pages are read."""

from datetime import datetime
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core import exceptions as django
from django.db import transaction
from django.db.models import QuerySet
from django.utils.decorators import method_decorator
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from accounts import sessions
from accounts.authentication import BearerAuthentication
from accounts.claims import Claims
from accounts.models import LoginSession
from accounts.serializers import LONGEST_PAGE, Listing, Strict

# Under ATOMIC_REQUESTS an error reply rolls the request back, and a revocation with it.
own_transactions = method_decorator(transaction.non_atomic_requests, name="dispatch")


@own_transactions
class Open(APIView):
    """No header is looked at: the credential is in the body, or none is needed."""

    authentication_classes = []
    permission_classes = [AllowAny]


@own_transactions
class SignedIn(APIView):
    authentication_classes = [BearerAuthentication]
    permission_classes = [IsAuthenticated]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # No id has a NUL, and PostgreSQL would not even compare it with one.
        if any("\0" in str(given) for given in kwargs.values()):
            raise NotFound
        super().initial(request, *args, **kwargs)

    @property
    def sid(self) -> str:
        return cast(Claims, self.request.auth).sid

    def own(self) -> QuerySet[LoginSession]:
        return sessions.of(cast(AbstractBaseUser, self.request.user))


class Pages(CursorPagination):
    ordering = ("-created_at", "id")
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = LONGEST_PAGE

    def decode_cursor(self, request: Request) -> Cursor | None:
        """DRF makes something of anything; ours are those that it would write as they came."""
        cursor = super().decode_cursor(request)
        if cursor and not (_is_moment(cursor.position) and self._writes(cursor, request)):
            raise NotFound
        return cursor

    def _writes(self, cursor: Cursor, request: Request) -> bool:
        here, name = request.build_absolute_uri(), self.cursor_query_param
        given = replace_query_param(here, name, request.query_params[name])
        return self.encode_cursor(cursor) == given

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        Listing(data=request.query_params.dict()).is_valid(raise_exception=True)
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, django.ValidationError, ValueError, OverflowError):
            # A made-up cursor may decode to something that is no time at all.
            raise ValidationError({"cursor": ["There is no such page."]}) from None


def _is_moment(position: object) -> bool:
    """As the column writes it, zone and all. Raises ValueError."""
    if position is None:
        return True
    moment = datetime.fromisoformat(str(position))
    return moment.tzinfo is not None and str(moment) == position


def checked(form: type[Strict], request: Request) -> dict[str, Any]:
    given = form(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
