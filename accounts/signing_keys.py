"""The life of a signing key: made with a secret shown once, replaced with overlap, revoked."""

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet

from . import errors, sealed, signals
from .models import KeyState, SigningKey
from .scopes import USUAL, Scope

SECRET_BYTES = 32
# How many of one owner may live at a time: rows that nobody can use up without end.
MOST = 100


@dataclass(frozen=True, slots=True)
class Issued:
    """``secret`` in base64url; only its seal is kept."""

    key: SigningKey
    secret: str = field(repr=False)


def issue(
    owner: AbstractBaseUser,
    *,
    name: str,
    now: datetime,
    scopes: Sequence[str] = USUAL,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    replaces: SigningKey | None = None,
) -> Issued:
    """Raises ScopeNotAllowed, TooManyKeys."""
    if Scope.INTROSPECT in scopes and not getattr(owner, "is_staff", False):
        raise errors.ScopeNotAllowed
    if living(owner).count() >= MOST:
        raise errors.TooManyKeys
    key = SigningKey(
        owner_id=owner.pk,
        name=name,
        scopes=sorted(set(scopes)),
        not_before=not_before or now,
        not_after=not_after,
        created_at=now,
    )
    secret = secrets.token_bytes(SECRET_BYTES)
    key.secret = sealed.seal(secret, _place(key))
    key.save(force_insert=True)
    transaction.on_commit(
        partial(signals.signing_key_issued.send_robust, SigningKey, key=key, replaces=replaces)
    )
    return Issued(key, urlsafe_b64encode(secret).rstrip(b"=").decode())


def rotate(key: SigningKey, *, overlap: timedelta, now: datetime) -> Issued:
    """A new key like ``key``, which retires and dies after ``overlap``.

    Raises NotRotatable unless it is active: of two rotations at once, one finds it retiring.
    """
    end = min(filter(None, [key.not_after, now + overlap]))
    with transaction.atomic():
        active = SigningKey.objects.filter(pk=key.pk, state=KeyState.ACTIVE)
        if not active.update(state=KeyState.RETIRING, not_after=end):
            raise errors.NotRotatable
        life = key.not_after - key.not_before if key.not_after else None
        return issue(
            key.owner,
            name=key.name,
            now=now,
            scopes=key.scopes,
            not_after=now + life if life else None,
            replaces=key,
        )


def revoke(chosen: QuerySet[SigningKey]) -> int:
    """For good: the secret is forgotten. How many these were."""
    with transaction.atomic():
        alive = chosen.exclude(state=KeyState.REVOKED).order_by("pk").select_for_update()
        keyids = list(alive.values_list("keyid", flat=True))
        SigningKey.objects.filter(keyid__in=keyids).update(state=KeyState.REVOKED, secret="")
        transaction.on_commit(partial(_announce, keyids))
    return len(keyids)


def living(owner: AbstractBaseUser) -> QuerySet[SigningKey]:
    """Revoked ones are no more; expired ones are, until they are revoked."""
    return SigningKey.objects.filter(owner_id=owner.pk).exclude(state=KeyState.REVOKED)


def secret_of(key: SigningKey) -> bytes:
    """Raises SealBroken."""
    return sealed.unseal(key.secret, _place(key))


def _place(key: SigningKey) -> str:
    return sealed.place(key, "secret", key.keyid)


def _announce(keyids: list[str]) -> None:
    for keyid in keyids:
        signals.signing_key_revoked.send_robust(SigningKey, keyid=keyid)
