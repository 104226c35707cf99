"""What happened to accounts, on record: who, when, from which network, and never a secret.

A name that is no user's is kept as a digest only, because people type passwords into its field.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from . import keys
from .addresses import network
from .durable import beside, committed
from .models import AuthEvent, EventKind, LoginSession, SigningKey
from .seldom import Seldom


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, without the host part."""

    network: str = ""
    device: str = ""


def connect() -> None:
    user_logged_in.connect(logged_in)


NOWHERE = Origin()
# What anybody can cause without a password is noted once a minute for each network or key: a log
# that strangers can fill is no log.
_noted = Seldom(60)


def record(
    kind: EventKind, user_pk: Any, account: str = "", origin: Origin = NOWHERE, detail: str = ""
) -> None:
    """Whatever becomes of the caller's transaction."""
    committed(event(kind, user_pk, account, origin, detail).save)


def event(
    kind: EventKind, user_pk: Any, account: str = "", origin: Origin = NOWHERE, detail: str = ""
) -> AuthEvent:
    return AuthEvent(
        at=timezone.now(),
        kind=kind,
        user_id=user_pk,
        account=account,
        network=origin.network,
        device=printable(origin.device)[:100],
        detail=printable(detail)[:300],
    )


def sessions_ended(ended: Iterable[tuple[str, Any]], reason: str) -> None:
    """In the transaction that ends these: each with its user's key."""
    AuthEvent.objects.bulk_create(
        event(EventKind.REVOKED, user_pk, detail=_of_session(pk, reason)) for pk, user_pk in ended
    )


def refresh_reused(session_id: str) -> None:
    for user_pk in LoginSession.objects.filter(pk=session_id).values_list("user_id", flat=True):
        record(EventKind.REUSED, user_pk, detail=_of_session(session_id))


def logins_limited(origin: Origin) -> None:
    account = keys.digest("rate limit", origin.network)
    if _noted.due(account):
        beside(event(EventKind.LIMITED, None, account, origin).save)


def signature_refused(keyid: str, cause: str, origin: Origin) -> None:
    """In the caller's transaction where there is no way around it."""
    owner = SigningKey.objects.filter(keyid=keyid).values_list("owner_id", flat=True).first()
    named = f"key {keyid}: " if owner is not None else ""
    account = keys.digest("signing key", keyid if named else origin.network)
    if _noted.due(account):
        refused = event(EventKind.SIGNATURE_REFUSED, owner, account, origin, f"{named}{cause}")
        beside(refused.save)


def logged_in(user: Any, request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody has a login of Django's own: the admin's. A program may do without a request.

    In the caller's transaction: if it is rolled back, so is the login.
    """
    origin = Origin(network(request.META.get("REMOTE_ADDR", ""))) if request else NOWHERE
    event(EventKind.SUCCEEDED, user.pk, origin=origin, detail="by cookie").save()


def networks(accounts: Iterable[str], *, since: datetime) -> dict[str, list[str]]:
    """Where the failures of each account came from."""
    found: dict[str, list[str]] = {}
    events = AuthEvent.objects.filter(account__in=accounts, at__gte=since).exclude(network="")
    for account, net in events.values_list("account", "network").distinct().order_by("network"):
        found.setdefault(account, []).append(net)
    return found


def past(before: datetime) -> QuerySet[AuthEvent]:
    return AuthEvent.objects.filter(at__lt=before).order_by("at")


def printable(text: str) -> str:
    """On one line: what callers write must not look like a record of its own."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _of_session(pk: str, reason: str = "") -> str:
    # A part of the id is enough to find the session.
    return f"session {pk[:8]}{': ' if reason else ''}{reason}"
