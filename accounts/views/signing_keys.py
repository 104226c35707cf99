"""The caller's own signing keys. Only a bearer token manages them: no key begets keys."""

from datetime import timedelta
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import signing_keys
from accounts.models import SigningKey
from accounts.serializers import KeyRequest, KeyRow, NewKeyRow, Nothing, Rotation
from accounts.signatures import TAG
from accounts.signing_keys import Issued

from .access import Pages, SignedIn, checked


class SigningKeysView(SignedIn, ListAPIView[SigningKey]):
    serializer_class = KeyRow
    pagination_class = Pages
    queryset = SigningKey.objects.none()

    def get_queryset(self) -> QuerySet[SigningKey]:
        return _own(self.request)

    @extend_schema(operation_id="auth_signing_keys_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The signing keys of the caller, revoked ones too, the newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="auth_signing_keys_create", request=KeyRequest, responses={201: NewKeyRow}
    )
    def post(self, request: Request) -> Response:
        """Make a key that signs requests as the caller. Its secret is shown here and never again.

        Scopes: `generate`, `locks`, `read` unless chosen; `introspect` is for staff only. Requests
        are signed by RFC 9421 with hmac-sha256 as label `sig1`: see the security scheme.
        """
        caller = cast(AbstractBaseUser, request.user)
        issued = signing_keys.issue(caller, now=timezone.now(), **checked(KeyRequest, request))
        return _shown(issued)


class RotateKeyView(SignedIn):
    @extend_schema(
        operation_id="auth_signing_keys_rotate", request=Rotation, responses={201: NewKeyRow}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Replace an active key. The old one works on for `overlap_seconds`, a day unless chosen.

        409 `signing_key_not_active` when it is not active (any more).
        """
        overlap = checked(Rotation, request)["overlap_seconds"]
        key = get_object_or_404(_own(request).select_related("owner"), pk=pk)
        issued = signing_keys.rotate(key, overlap=timedelta(seconds=overlap), now=timezone.now())
        return _shown(issued)


class SigningKeyView(SignedIn):
    @extend_schema(operation_id="auth_signing_keys_revoke", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Revoke a key at once and for good. Repeating it is no error."""
        checked(Nothing, request)
        actor = cast(AbstractBaseUser, request.user).get_username()
        chosen = _own(request).filter(pk=pk)
        if not signing_keys.revoke(chosen, actor=actor, now=timezone.now()) and not chosen.exists():
            raise NotFound
        return Response(status=204)


def _shown(issued: Issued) -> Response:
    row = {**KeyRow(issued.key).data, "secret": issued.secret, "tag": TAG}
    return Response(row, status=201)


def _own(request: Request) -> QuerySet[SigningKey]:
    """Another user's key does not exist."""
    return SigningKey.objects.filter(owner_id=cast(Any, request.user).pk)
