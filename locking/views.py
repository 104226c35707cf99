"""Locks over HTTP: leases for callers elsewhere, and what operators do.

A name means the same lock as in Python, and all callers share it. Locks whose names are private are
those of the program: callers can neither take nor see them, operators see all and may break any.

A caller that waits keeps a thread of the server: for ten seconds at most, and when as many wait as
``LOCKING["HTTP_WAITERS"]`` says, the next one is told at once that the lock is busy.
"""

from typing import Any

from django.db import transaction
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from . import control, remote
from .conf import conf
from .serializers import (
    Acquisition,
    Extension,
    Force,
    ForcedReleaseRow,
    LeaseReply,
    Listing,
    LockPage,
    LockRow,
    Proof,
    Which,
)

# A lock must not wait for the end of a request's transaction, and a record must outlive an error.
own_transactions = method_decorator(transaction.non_atomic_requests, name="dispatch")


class MayForce(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, "force_release")


def may(user: Any, permission: str) -> bool:
    """Operators are staff with a permission."""
    return bool(user.is_staff and user.has_perm(f"locking.{permission}"))


def checked(form: type[Serializer[Any]], data: Any) -> dict[str, Any]:
    given = form(data=data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


@own_transactions
class Locks(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="locks_list", parameters=[Listing], responses=LockPage)
    def get(self, request: Request) -> Response:
        """Locks now held, those that end soonest first. A page may hold fewer than `limit`.

        Private locks are shown to operators only.
        """
        hidden = () if may(request.user, "view_heldlock") else conf().private
        page = control.held(without=hidden, **checked(Listing, request.query_params.dict()))
        url = request.build_absolute_uri()
        following = page.following and replace_query_param(url, "cursor", page.following)
        rows = {"results": page.rows, "next": following, "previous": None}
        return Response(LockPage(rows).data)


@own_transactions
class OneLock(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="locks_read", parameters=[Which], responses=LockRow)
    def get(self, request: Request) -> Response:
        """One lock, held or free, with those who wait for it.

        403 `permission_denied` for a private name, unless an operator asks.
        """
        wanted = checked(Which, request.query_params.dict())
        if not may(request.user, "view_heldlock"):
            remote.public(wanted["name"])
        return Response(LockRow(control.detail(**wanted)).data)


@own_transactions
class Acquire(APIView):
    permission_classes = [IsAuthenticated]
    scope = "locks"

    @extend_schema(operation_id="locks_acquire", request=Acquisition, responses={201: LeaseReply})
    def post(self, request: Request) -> Response:
        """Take a lock. Keep the token: it alone extends and releases the lease.

        Make the token yourself, so that no lease is left to nobody when a reply gets lost.

        403 `permission_denied` for a private name, whoever asks; 409 `lock_busy` when `wait` is
        over, with Retry-After; 503 `lock_queue_full` when too many wait, `lock_unavailable` when
        the lock store does not answer.
        """
        given = checked(Acquisition, request.data)
        meta = given.get("meta", {}) | {"user_id": str(request.user.pk)}
        lease = remote.acquire(
            given["name"],
            lease=given.get("lease"),
            wait=given["wait"],
            meta=meta,
            token=given.get("token"),
        )
        return Response(LeaseReply(lease).data, status=201)


@own_transactions
class Extend(APIView):
    permission_classes = [IsAuthenticated]
    scope = "locks"

    @extend_schema(operation_id="locks_extend", request=Extension, responses=LeaseReply)
    def post(self, request: Request) -> Response:
        """Give a lease at least so many seconds from now.

        409 `lock_lost` when the token does not hold the lock, or not any more.
        """
        given = checked(Extension, request.data)
        lease = remote.extend(given["name"], given["token"], lease=given.get("lease"))
        return Response(LeaseReply(lease).data)


@own_transactions
class Release(APIView):
    permission_classes = [IsAuthenticated]
    scope = "locks"

    @extend_schema(operation_id="locks_release", request=Proof, responses={204: None})
    def post(self, request: Request) -> Response:
        """Free a lock. Repeating it is no error.

        409 `lock_lost` when the token never held the lock, or lost it before.
        """
        remote.release(**checked(Proof, request.data))
        return Response(status=204)


@own_transactions
class ForceRelease(APIView):
    permission_classes = [IsAuthenticated, MayForce]

    @extend_schema(operation_id="locks_force_release", request=Force, responses=ForcedReleaseRow)
    def post(self, request: Request) -> Response:
        """Take any lock from its holder, if its fence is still the one meant.

        For operators; a private lock too. 409 `stale_fence` when somebody else holds it by now.
        """
        actor = request.user.get_username()
        record = control.force_release(actor=actor, **checked(Force, request.data))
        return Response(ForcedReleaseRow(record).data)
