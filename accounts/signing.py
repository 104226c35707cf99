"""DRF's authentication by signature: the owner of the key acts, within the scopes of the key.

Whatever is wrong, the caller is told the same; the cause is for the log.
"""

import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from . import audit, errors, nonces, signals, signatures, signing_keys, tidying
from .addresses import network
from .audit import Origin
from .models import KeyState, SigningKey
from .scopes import demanded, open_to
from .signatures import Message, Refused

logger = logging.getLogger(__name__)

# What the signatures of keys that are none are checked against, so that it takes as long.
NOBODYS = secrets.token_bytes(signing_keys.SECRET_BYTES)
NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SignedBy:
    """The ``request.auth`` of a signed request."""

    keyid: str
    scopes: frozenset[str]


class SignatureAuthentication(BaseAuthentication):
    """Refuses here, not by a permission, what the key may not do: no view can forget to ask."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, SignedBy] | None:
        if request.headers.keys().isdisjoint({"Signature", "Signature-Input"}):
            return None
        try:
            key = _admitted(request._request)
        except (OperationalError, InterfaceError) as error:
            raise errors.DatabaseUnavailable(retry_after=1) from error
        scopes = open_to(key.owner).intersection(key.scopes)
        if demanded(request.parser_context["view"], str(request.method)) not in scopes:
            raise errors.NotWithinScope
        return key.owner, SignedBy(key.keyid, scopes)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _admitted(request: HttpRequest) -> SigningKey:
    try:
        key = admit(request)
    except Refused as refusal:
        _report(refusal, Origin(network(request.META.get("REMOTE_ADDR", ""))))
        raise errors.SignatureInvalid from refusal
    signals.signature_accepted.send_robust(SigningKey, keyid=key.keyid)
    return key


def admit(request: HttpRequest) -> SigningKey:
    """The key a request was signed with; raises Refused. The signature is used up by this."""
    now = timezone.now()
    message = _message(request)
    claimed = signatures.claim(message, now=now.timestamp())
    key = SigningKey.objects.select_related("owner").filter(keyid=claimed.keyid).first()
    if key is None or (fault := _fault(key, now)):
        with suppress(Refused):
            signatures.verify(message, claimed, secret=NOBODYS)
        raise Refused("unknown key" if key is None else fault, keyid=claimed.keyid)
    signatures.verify(message, claimed, secret=signing_keys.secret_of(key))
    # Not before the signature holds, or anybody could use up the nonces of others.
    if not nonces.spend(key.keyid, claimed.nonce, now=now):
        raise Refused("the nonce was used before", keyid=claimed.keyid)
    _note_use(key, now)
    tidying.now_and_then()
    return key


def _message(request: HttpRequest) -> Message:
    return Message(
        method=str(request.method),
        scheme=str(request.scheme),
        authority=request.get_host(),
        path=request.path,
        query=request.META.get("QUERY_STRING", ""),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body,
    )


def _fault(key: SigningKey, now: datetime) -> str:
    if key.state == KeyState.REVOKED:
        return "revoked key"
    if now < key.not_before:
        return "key not valid yet"
    if key.not_after is not None and key.not_after <= now:
        return "expired key"
    return "" if key.owner.is_active else "inactive owner"


def _note_use(key: SigningKey, now: datetime) -> None:
    due = now - NOTED_EVERY
    if key.last_used_at is None or key.last_used_at <= due:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=due)
        SigningKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def _report(refusal: Refused, origin: Origin) -> None:
    logger.warning("signed request refused: %s (key %s)", refusal.cause, refusal.keyid or "-")
    audit.signature_refused(refusal.keyid, refusal.cause, origin)
    signals.signature_rejected.send_robust(SigningKey, keyid=refusal.keyid, cause=refusal.cause)
