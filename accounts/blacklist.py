"""simplejwt's own tables, kept in step for those who look there.

They are a mirror: a token is judged by its session. ``jti`` holds the digest that ``Refresh``
holds, and ``token`` the sealed token without its signature: even with the database and its keys
in hand nobody has a credential.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from django.apps import apps
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from . import sealed
from .models import Refresh


def installed() -> bool:
    return apps.is_installed("rest_framework_simplejwt.token_blacklist")


def record(refresh: Refresh, token: str) -> None:
    if installed():
        OutstandingToken.objects.create(
            user_id=refresh.session.user_id,
            jti=refresh.digest,
            token=token,  # sealed on its way in, as everybody's is
            created_at=refresh.issued_at,
            expires_at=refresh.session.expires_at,
        )


def add(digests: Iterable[str]) -> None:
    if installed():
        tokens = OutstandingToken.objects.filter(jti__in=digests, blacklistedtoken=None)
        # bulk_create, because it sends no signal: this is the mirror, not somebody's wish.
        BlacklistedToken.objects.bulk_create(
            [BlacklistedToken(token=token) for token in tokens], ignore_conflicts=True
        )


def forget(digests: Collection[str]) -> int:
    """What is mirrored of these; how many."""
    if not installed():
        return 0
    mirrored = OutstandingToken.objects.filter(jti__in=digests)
    return mirrored.delete()[1].get(OutstandingToken._meta.label, 0)


def purge(now: datetime, *, batch: int) -> int:
    """As ``flushexpiredtokens`` does, but some at a time; how many. Reads the whole table."""
    forgotten = 0
    while installed():
        expired = OutstandingToken.objects.filter(expires_at__lte=now)
        some = list(expired.values_list("pk", flat=True)[:batch])
        if not some:
            break
        OutstandingToken.objects.filter(pk__in=some).delete()
        forgotten += len(some)
    return forgotten


def seal(row: OutstandingToken) -> None:
    """Make of its token what may be kept. Raises SealBroken for what was sealed elsewhere."""
    if sealed.is_envelope(row.token):
        sealed.unseal(row.token, place(row))
    else:
        row.token = sealed.seal(unsigned(row.token).encode(), place(row))


def seal_plain() -> int:
    """Seal what got in past the signals, or before there were envelopes; how many rows."""
    plain = OutstandingToken.objects.exclude(token__startswith=f"{sealed.VERSION}.")
    return sum(_seal_stored(row) for row in plain.order_by("pk").iterator())


def _seal_stored(row: OutstandingToken) -> int:
    found = OutstandingToken.objects.filter(pk=row.pk, token=row.token)
    seal(row)
    return found.update(token=row.token)


def place(row: OutstandingToken) -> str:
    return sealed.place(row, "token", row.jti)


def unsigned(token: str) -> str:
    """Header and payload."""
    return ".".join(token.split(".")[:2])
