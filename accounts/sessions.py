"""The life of a login session: it starts with a password, lives by its rows, and ends for good."""

import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from . import audit, blacklist, epochs, errors, keys, revocation, signals
from .conf import conf
from .models import LoginSession, Refresh
from .tokens import AccessToken, RefreshToken, SessionToken, read


class Reason(StrEnum):
    LOGOUT = "logout"
    ENDED = "ended by the user"
    REVOKED = "token revoked"
    REUSED = "refresh token reused"
    BLACKLISTED = "refresh token blacklisted"
    USER_CHANGED = "password, activity or role changed"
    USER_DELETED = "user deleted"
    TOO_MANY = "too many sessions"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    access_expires_at: datetime
    refresh_expires_at: datetime
    session: str
    device_token: str | None = field(default=None, repr=False)


def start(user: AbstractBaseUser, *, device: str = "", address: str = "") -> TokenPair:
    """A new session for a user whose password was just checked.

    Raises InvalidCredentials when the user has changed since: a login that races with a change
    of password must not outlive it.
    """
    now = timezone.now()
    with transaction.atomic():
        epoch = epochs.hold(user)
        if epoch is None or not user.is_active:
            raise errors.InvalidCredentials
        session = LoginSession.objects.create(
            user_id=user.pk,
            epoch=epoch,
            device=device,
            address=address,
            created_at=now,
            last_used_at=now,
            expires_at=now + timedelta(seconds=conf().refresh_lifetime),
        )
        _make_room(user)
        return issue(session, generation=0, now=now, seed=secrets.token_urlsafe(32))


def _make_room(user: AbstractBaseUser) -> None:
    """The user's epoch is held, so no two logins count at once."""
    newest_first = of(user).order_by("-last_used_at", "-created_at", "pk")
    surplus = list(newest_first.values_list("pk", flat=True)[conf().max_sessions :])
    if surplus:
        end(LoginSession.objects.filter(pk__in=surplus), reason=Reason.TOO_MANY)


def issue(session: LoginSession, *, generation: int, now: datetime, seed: str) -> TokenPair:
    row = Refresh(
        digest=fingerprint(_jti(RefreshToken, seed)),
        session=session,
        generation=generation,
        issued_at=now,
    )
    row.save(force_insert=True)
    pair = pair_of(row, seed=seed)
    blacklist.record(row, pair.refresh)
    return pair


def pair_of(row: Refresh, *, seed: str) -> TokenPair:
    """The same pair whenever it is made, since neither digests nor Ed25519 draw lots.

    ``seed`` is the jti of the token that was exchanged for it, which no row holds.
    """
    access, refresh = (
        kind.issue(row.session, generation=row.generation, now=row.issued_at, jti=_jti(kind, seed))
        for kind in (AccessToken, RefreshToken)
    )
    return TokenPair(
        access=str(access),
        refresh=str(refresh),
        access_expires_at=access.expires_at,
        refresh_expires_at=refresh.expires_at,
        session=row.session.pk,
    )


def _jti(kind: type[SessionToken], seed: str) -> str:
    return keys.derived_id(f"{kind.token_type} successor", seed)


def of(user: AbstractBaseUser) -> QuerySet[LoginSession]:
    """Those that may still live."""
    return LoginSession.objects.filter(
        user_id=user.pk, revoked_at=None, expires_at__gt=timezone.now()
    )


def end(sessions: QuerySet[LoginSession], *, reason: str) -> int:
    """End those that still live; how many these were. Nothing issued for them works any more."""
    with transaction.atomic():
        # In one order, so that two of these cannot wait for each other.
        living = sessions.filter(revoked_at=None).order_by("pk").select_for_update()
        ended = list(living.values_list("pk", "user_id"))
        ids = [pk for pk, _ in ended]
        LoginSession.objects.filter(pk__in=ids).update(revoked_at=Now(), reason=reason)
        unused = Refresh.objects.filter(session__in=ids, used_at=None)
        blacklist.add(unused.values_list("pk", flat=True))
        audit.sessions_ended(ended, reason)
        transaction.on_commit(partial(_announce, ids, reason))
    return len(ids)


def void(users: Collection[Any], *, reason: str) -> int:
    """All that the users with these keys hold dies, a login now under way included."""
    with transaction.atomic():
        epochs.advance(users)
        return end(LoginSession.objects.filter(user__in=users), reason=reason)


def _announce(ids: list[str], reason: str) -> None:
    revocation.announce(ids)
    for session_id in ids:
        signals.session_revoked.send_robust(LoginSession, session_id=session_id, reason=reason)


def revoke(raw: str, *, caller: str | None = None) -> None:
    """RFC 7009: end the session of a token of either kind. What is no token revokes nothing.

    ``caller``: the only user whose tokens it may be.
    """
    for kind in (AccessToken, RefreshToken):
        with suppress(errors.TokenInvalid):
            claims = read(kind, raw)
            if caller in (None, claims.sub):
                end(LoginSession.objects.filter(pk=claims.sid), reason=Reason.REVOKED)


def fingerprint(jti: str) -> str:
    """What the database knows a refresh token by."""
    return keys.digest("refresh jti", jti)
