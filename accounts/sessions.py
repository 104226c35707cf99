"""The life of a login session: start, rotate, end.

Each change is one transaction whose outcome is a value. Errors are raised after the commit: one
raised inside would take the revocation back with it.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from . import blacklist, epochs, errors, keys, signals
from .claims import Claims
from .conf import conf
from .models import LoginSession, Refresh
from .rotation import Verdict, judge
from .tokens import AccessToken, RefreshToken, read

logger = logging.getLogger(__name__)


class Reason(StrEnum):
    LOGOUT = "logout"
    ENDED = "ended by the user"
    REVOKED = "token revoked"
    REUSED = "refresh token reused"
    BLACKLISTED = "refresh token blacklisted"
    USER_CHANGED = "password, activity or role changed"


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
        epochs.lock(user)
        fresh = type(user)._base_manager.filter(pk=user.pk).first()
        if fresh is None or epochs.standing(fresh) != epochs.standing(user):
            raise errors.InvalidCredentials
        epochs.follow(fresh)
        session = LoginSession.objects.create(
            user_id=user.pk,
            epoch=epochs.current(user),
            device=device,
            address=address,
            created_at=now,
            last_used_at=now,
            expires_at=now + timedelta(seconds=conf().refresh_lifetime),
        )
        return _issue(session, generation=0, now=now)


def live(claims: Claims) -> LoginSession | None:
    """The session of a token with its user, in one query, unless anything has ended it."""
    session = (
        LoginSession.objects.select_related("user")
        .annotate(standing=F("user__token_epoch__standing"))
        .filter(pk=claims.sid, revoked_at=None, epoch=claims.ep)
        .filter(user__token_epoch__value=claims.ep)
        .first()
    )
    if (
        session is None
        or session.expires_at <= timezone.now()
        or str(session.user.pk) != claims.sub
        or not session.user.is_active
        or session.standing != epochs.standing(session.user)
    ):
        return None
    return session


def rotate(raw: str) -> TokenPair:
    """A fresh pair for an unused refresh token. Raises a TokenInvalid or RefreshInProgress.

    Cannot be called inside a transaction, whose rollback would forget that the token was used.
    """
    claims = read(RefreshToken, raw)
    digest = fingerprint(claims.jti)
    # Taken before waiting for the lock: queueing behind the winner is not replaying.
    presented_at = Refresh.objects.filter(pk=digest).values_list(Now(), flat=True).first()
    if presented_at is None:
        raise errors.TokenRevoked
    with transaction.atomic(durable=True):
        outcome = _rotate(claims, digest, presented_at)
    match outcome:
        case TokenPair():
            return outcome
        case Verdict.OVERLAP:
            raise errors.RefreshInProgress(retry_after=1)
        case Verdict.REUSED:
            logger.warning("refresh token reused, session %s ended", claims.sid)
            signals.refresh_reuse_detected.send_robust(LoginSession, session_id=claims.sid)
            raise errors.TokenReused
    raise errors.TokenRevoked


def _rotate(claims: Claims, digest: str, presented_at: datetime) -> TokenPair | Verdict:
    locked = LoginSession.objects.select_for_update().filter(pk=claims.sid)
    session = live(claims) if locked.exists() else None
    if session is None:
        return Verdict.REVOKED
    if Refresh.objects.filter(pk=digest, used_at=None).update(used_at=Now()):
        return _succeed(session, digest, generation=claims.gen + 1)
    successor = session.refreshes.filter(generation=claims.gen + 1, used_at__isnull=False)
    used_at, successor_used = Refresh.objects.values_list("used_at", Exists(successor)).get(
        pk=digest
    )
    verdict = judge(
        presented_at=presented_at,
        used_at=used_at,
        successor_used=successor_used,
        overlap=timedelta(seconds=conf().refresh_overlap),
    )
    if verdict is Verdict.REUSED:
        end(LoginSession.objects.filter(pk=session.pk), reason=Reason.REUSED)
    return verdict


def _succeed(session: LoginSession, digest: str, *, generation: int) -> TokenPair:
    now = timezone.now()
    blacklist.add([digest])
    session.last_used_at = now
    session.save(update_fields=["last_used_at"])
    return _issue(session, generation=generation, now=now)


def _issue(session: LoginSession, *, generation: int, now: datetime) -> TokenPair:
    access = AccessToken.issue(session, generation=generation, now=now)
    refresh = RefreshToken.issue(session, generation=generation, now=now)
    issued = Refresh.objects.create(
        digest=fingerprint(refresh.claims.jti),
        session=session,
        generation=generation,
        issued_at=now,
    )
    blacklist.record(issued, str(refresh))
    return TokenPair(
        access=str(access),
        refresh=str(refresh),
        access_expires_at=access.expires_at,
        refresh_expires_at=refresh.expires_at,
        session=session.pk,
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


def fingerprint(jti: str) -> str:
    return keys.digest("refresh jti", jti)
