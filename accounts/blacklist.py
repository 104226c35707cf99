"""simplejwt's own tables, kept in step for those who look there.

They are a mirror: a token is judged by its session. ``jti`` holds the digest that ``Refresh``
holds, and ``token`` lacks its signature, so neither column can be presented as a credential.
"""

from collections.abc import Iterable
from datetime import datetime

from django.apps import apps
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from .models import Refresh


def installed() -> bool:
    return apps.is_installed("rest_framework_simplejwt.token_blacklist")


def record(refresh: Refresh, token: str) -> None:
    if installed():
        OutstandingToken.objects.create(
            user_id=refresh.session.user_id,
            jti=refresh.digest,
            token=unsigned(token),
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


def purge(now: datetime) -> None:
    if installed():
        OutstandingToken.objects.filter(expires_at__lte=now).delete()


def unsigned(token: str) -> str:
    """Header and payload."""
    return ".".join(token.split(".")[:2])
