"""What operators do; admin and commands call these."""

import secrets
from datetime import datetime, timedelta
from functools import partial

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from . import (
    epochs,
    keyfile,
    keyring,
    lockouts,
    reencryption,
    sessions,
    signing_keys,
    tidying,
)
from .conf import conf
from .keyring import Key
from .keys import PUBLISHED_FOR, ring
from .models import LoginSession, SigningKey
from .reencryption import KeyUse

# Rows for one transaction, so that those who sign in meanwhile need not wait long.
BATCH = 500

FORGOTTEN = (
    "sessions", "refresh_tokens", "outstanding_tokens", "login_guards", "rate_windows", "events",
    "nonces", "signing_keys",
)  # fmt: skip


def end_sessions(chosen: QuerySet[LoginSession], *, reason: str) -> int:
    return sessions.end(chosen, reason=reason)


def revoke(user: AbstractBaseUser, *, reason: str) -> int:
    """Everything the user holds dies, a login now under way included. How many sessions ended."""
    with transaction.atomic():
        # Waits for a first login too, which has no epoch yet.
        epochs.hold(user)
        return sessions.void([user.pk], reason=reason)


def revoke_all(*, reason: str) -> int:
    """Of all users, dead at once; then their sessions are ended, some at a time."""
    epochs.advance_all()
    return _end_in_batches(LoginSession.objects.all(), reason=reason)


def revoke_begun_before(moment: datetime, *, reason: str) -> int:
    """By when the login was, not by when its latest tokens were issued."""
    return _end_in_batches(LoginSession.objects.filter(created_at__lt=moment), reason=reason)


def _end_in_batches(chosen: QuerySet[LoginSession], *, reason: str) -> int:
    ended = 0
    while batch := list(chosen.filter(revoked_at=None).values_list("pk", flat=True)[:BATCH]):
        ended += sessions.end(LoginSession.objects.filter(pk__in=batch), reason=reason)
    return ended


def rotate_keys(*, now: datetime, at_once: bool = False, keep: bool = True) -> tuple[Key, ...]:
    """One step in the life of the signing keys; with ``keep`` the file has them from then on.

    Raises keyring.TooSoon and keyfile.HeldElsewhere.
    """
    given = conf()
    step = partial(
        keyring.rotate,
        fresh=secrets.token_bytes(32),
        now=now,
        lifetime=timedelta(seconds=given.access_lifetime + given.refresh_lifetime),
        patience=timedelta(seconds=0 if at_once else PUBLISHED_FOR),
    )
    if keep:
        return keyfile.change(given.key_file, step)
    return step(tuple(ring().keys.values()))


def revoke_keys(chosen: QuerySet[SigningKey], *, actor: str) -> int:
    return signing_keys.revoke(chosen, actor=actor, now=timezone.now())


def locked_now() -> int:
    return lockouts.locked().count()


def purge(*, now: datetime) -> dict[str, int]:
    """Forget sessions past their end, tries that count no more, old events and what else nobody
    needs; how much of what."""
    forgotten = tidying.everything(now=now)
    return {kind: forgotten[kind] for kind in FORGOTTEN}


def reencrypt(*, drop: str | None = None) -> tuple[dict[str, int], list[KeyUse]]:
    """Seal everything with the first key: rows moved by column, and what each key is used for.

    Raises KeyInUse when the key named by ``drop`` has to stay.
    """
    moved = reencryption.run()
    if drop is not None:
        reencryption.refuse_unless_droppable(drop)
    return moved, reencryption.report()
