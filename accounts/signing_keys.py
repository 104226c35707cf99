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

from . import audit, epochs, errors, sealed, signals
from .models import EventKind, KeyState, SigningKey
from .scopes import USUAL, open_to

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
    """Raises ScopeNotAllowed, TooManyKeys; TokenRevoked if the owner has changed since."""
    if not open_to(owner).issuperset(scopes):
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
    with transaction.atomic():
        if epochs.hold(owner) is None:
            raise errors.TokenRevoked
        key.save(force_insert=True)
        _note_issue(key, replaces)
    transaction.on_commit(
        partial(signals.signing_key_issued.send_robust, SigningKey, key=key, replaces=replaces)
    )
    return Issued(key, urlsafe_b64encode(secret).rstrip(b"=").decode())


def rotate(key: SigningKey, *, overlap: timedelta, now: datetime) -> Issued:
    """A new key like ``key``, which retires and dies after ``overlap``.

    Without scopes that its owner may not have any more. Raises NotRotatable unless it is active,
    and of two rotations at once one finds it retiring; else as ``issue``.
    """
    end = min(filter(None, [key.not_after, now + overlap]))
    with transaction.atomic():
        # Before the key, as a deletion of its owner takes them.
        if epochs.hold(key.owner) is None:
            raise errors.TokenRevoked
        active = SigningKey.objects.filter(pk=key.pk, state=KeyState.ACTIVE)
        if not active.update(state=KeyState.RETIRING, not_after=end):
            raise errors.NotRotatable
        life = key.not_after - key.not_before if key.not_after else None
        return issue(
            key.owner,
            name=key.name,
            now=now,
            scopes=sorted(open_to(key.owner).intersection(key.scopes)),
            not_after=now + life if life else None,
            replaces=key,
        )


def revoke(chosen: QuerySet[SigningKey], *, actor: str, now: datetime) -> int:
    """For good: the secret is forgotten. How many these were."""
    with transaction.atomic():
        # Not the rows of their owners as well, which the admin has joined.
        alive = SigningKey.objects.filter(pk__in=chosen.values("pk")).exclude(
            state=KeyState.REVOKED
        )
        ended = list(alive.order_by("pk").select_for_update())
        keyids = [key.keyid for key in ended]
        SigningKey.objects.filter(keyid__in=keyids).update(
            state=KeyState.REVOKED, secret="", not_after=now
        )
        for key in ended:
            _note(EventKind.KEY_REVOKED, key, f"by {actor}")
        transaction.on_commit(partial(_announce, keyids))
    return len(keyids)


def narrow(owner: AbstractBaseUser) -> None:
    """Take away the scopes that this user's keys may not have any more, for good: who is staff
    again some day asks for them again."""
    for key in living(owner):
        if lost := sorted(set(key.scopes) - open_to(owner)):
            kept = sorted(open_to(owner).intersection(key.scopes))
            SigningKey.objects.filter(pk=key.pk).update(scopes=kept)
            _note(EventKind.KEY_NARROWED, key, f"without {', '.join(lost)}")


def living(owner: AbstractBaseUser) -> QuerySet[SigningKey]:
    """Revoked ones are no more; expired ones are, until they are revoked."""
    return SigningKey.objects.filter(owner_id=owner.pk).exclude(state=KeyState.REVOKED)


def past(before: datetime) -> QuerySet[SigningKey]:
    """Those revoked by then, of which nothing is left but the row."""
    return SigningKey.objects.filter(state=KeyState.REVOKED, not_after__lt=before)


def secret_of(key: SigningKey) -> bytes:
    """Raises SealBroken."""
    return sealed.unseal(key.secret, _place(key))


def _place(key: SigningKey) -> str:
    return sealed.place(key, "secret", key.keyid)


def _note_issue(key: SigningKey, replaces: SigningKey | None) -> None:
    able = f"for {', '.join(key.scopes) or 'nothing'}"
    if replaces is None:
        _note(EventKind.KEY_ISSUED, key, able)
    else:
        _note(EventKind.KEY_ROTATED, key, f"{able}, replaces {replaces.keyid}")


def _note(kind: EventKind, key: SigningKey, detail: str) -> None:
    audit.event(kind, key.owner_id, detail=f"key {key.keyid} ({key.name}) {detail}").save()


def _announce(keyids: list[str]) -> None:
    for keyid in keyids:
        signals.signing_key_revoked.send_robust(SigningKey, keyid=keyid)
