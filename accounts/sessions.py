"""The life of a login session: it starts with a password, lives by its rows, and ends for good."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.db.models.query import RawQuerySet
from django.utils import timezone

from . import blacklist, epochs, errors, keys, signals
from .claims import Claims
from .conf import conf
from .models import LoginSession, Refresh, UserEpoch
from .tokens import AccessToken, RefreshToken, read


class Reason(StrEnum):
    LOGOUT = "logout"
    ENDED = "ended by the user"
    REVOKED = "token revoked"
    REUSED = "refresh token reused"
    BLACKLISTED = "refresh token blacklisted"
    USER_CHANGED = "password, activity or role changed"
    USER_DELETED = "user deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    access_expires_at: datetime
    refresh_expires_at: datetime
    session: str


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
        return issue(session, generation=0, now=now)


def issue(session: LoginSession, *, generation: int, now: datetime) -> TokenPair:
    access = AccessToken.issue(session, generation=generation, now=now)
    refresh = RefreshToken.issue(session, generation=generation, now=now)
    row = Refresh.objects.create(
        digest=fingerprint(refresh.claims.jti),
        session=session,
        generation=generation,
        issued_at=now,
    )
    blacklist.record(row, str(refresh))
    return TokenPair(
        access=str(access),
        refresh=str(refresh),
        access_expires_at=access.expires_at,
        refresh_expires_at=refresh.expires_at,
        session=session.pk,
    )


def owner(claims: Claims) -> AbstractBaseUser | None:
    """Whom a token speaks for, in one query, unless anything has ended its session.

    A session starts for an active user only, and ``standing`` tells of any change since; its end
    in time is in each of its tokens.
    """
    model = get_user_model()
    found: RawQuerySet[Any] = model._base_manager.raw(
        _statement(model, connection.vendor), [claims.sid, claims.ep, claims.ep]
    )
    user = next(iter(found), None)
    if user is None or str(user.pk) != claims.sub or user.epoch_standing != epochs.standing(user):
        return None
    return cast(AbstractBaseUser, user)


@lru_cache(maxsize=8)
def _statement(model: type[AbstractBaseUser], _vendor: str) -> str:
    """SQL, because it runs on every request and the ORM takes four times as long to build it."""
    session, epoch, user, key = (
        connection.ops.quote_name(name)
        for name in (
            LoginSession._meta.db_table,
            UserEpoch._meta.db_table,
            model._meta.db_table,
            model._meta.pk.column,
        )
    )
    return f"""
        SELECT u.*, e.standing AS epoch_standing
        FROM {session} s
        JOIN {epoch} e ON e.user_id = s.user_id
        JOIN {user} u ON u.{key} = s.user_id
        WHERE s.id = %s AND s.epoch = %s AND e.value = %s AND s.revoked_at IS NULL
    """  # noqa: S608 - only names of tables go in


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
        ids = list(living.values_list("pk", flat=True))
        LoginSession.objects.filter(pk__in=ids).update(revoked_at=Now(), reason=reason)
        unused = Refresh.objects.filter(session__in=ids, used_at=None)
        blacklist.add(unused.values_list("pk", flat=True))
        transaction.on_commit(partial(_announce, ids, reason))
    return len(ids)


def _announce(ids: list[str], reason: str) -> None:
    for session_id in ids:
        signals.session_revoked.send_robust(LoginSession, session_id=session_id, reason=reason)


def revoke(raw: str) -> None:
    """RFC 7009: end the session of a token of either kind. What is no token revokes nothing."""
    for kind in (AccessToken, RefreshToken):
        with suppress(errors.TokenInvalid):
            sid = read(kind, raw).sid
            end(LoginSession.objects.filter(pk=sid), reason=Reason.REVOKED)


def fingerprint(jti: str) -> str:
    """What the database knows a refresh token by."""
    return keys.digest("refresh jti", jti)
