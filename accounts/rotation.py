"""Exchanging a refresh token for a fresh pair: it works once, whoever comes second gets nothing.

The outcome is a value, and errors are raised after the commit: one raised inside the transaction
would take the revocation back with it.
"""

import logging
from datetime import datetime, timedelta
from typing import Literal, cast

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from . import audit, blacklist, errors, sessions, signals, tidying
from .claims import Claims
from .conf import conf
from .models import LoginSession, Refresh
from .owners import owner
from .replay import Verdict, judge
from .sessions import Reason, TokenPair
from .tokens import RefreshToken, read

# None for a session that has ended.
Outcome = TokenPair | Literal[Verdict.OVERLAP, Verdict.REUSED] | None

logger = logging.getLogger(__name__)


def rotate(raw: str) -> TokenPair:
    """Raises a TokenInvalid, or RefreshInProgress when a parallel call has just won.

    Cannot be called inside a transaction, whose rollback would forget that the token was used.
    """
    claims = read(RefreshToken, raw)
    digest = sessions.fingerprint(claims.jti)
    # Taken before waiting for the lock: queueing behind the winner is not replaying.
    presented_at = Refresh.objects.filter(pk=digest).values_list(Now(), flat=True).first()
    with transaction.atomic(durable=True):
        outcome = None if presented_at is None else _attempt(claims, digest, presented_at)
    _tell(claims.sid, outcome)
    match outcome:
        case TokenPair():
            tidying.now_and_then()
            return outcome
        case Verdict.OVERLAP:
            raise errors.RefreshInProgress(retry_after=1)
        case Verdict.REUSED:
            raise errors.TokenReused
        case None:
            raise errors.TokenRevoked


def _tell(session_id: str, outcome: Outcome) -> None:
    match outcome:
        case TokenPair():
            told = "renewed"
        case None:
            told = "ended"
        case verdict:
            told = verdict.value
    signals.refresh_answered.send_robust(LoginSession, session_id=session_id, outcome=told)
    if outcome is Verdict.REUSED:
        logger.warning("refresh token reused, session %s ended", session_id)
        audit.refresh_reused(session_id)
        signals.refresh_reuse_detected.send_robust(LoginSession, session_id=session_id)


def _attempt(claims: Claims, digest: str, presented_at: datetime) -> Outcome:
    session = LoginSession.objects.select_for_update().filter(pk=claims.sid).first()
    if session is None or owner(claims) is None:
        return None
    if Refresh.objects.filter(pk=digest, used_at=None).update(used_at=Now()):
        return _succeed(session, claims, digest)
    return _second_use(session, claims, presented_at)


def _succeed(session: LoginSession, claims: Claims, digest: str) -> TokenPair:
    now = timezone.now()
    blacklist.add([digest])
    session.last_used_at = now
    session.save(update_fields=["last_used_at"])
    return sessions.issue(session, generation=claims.gen + 1, now=now, seed=claims.jti)


def _second_use(session: LoginSession, claims: Claims, presented_at: datetime) -> Outcome:
    generations = claims.gen, claims.gen + 1
    used, successor = session.refreshes.filter(generation__in=generations).order_by("generation")
    verdict = judge(
        presented_at=presented_at,
        used_at=cast(datetime, used.used_at),
        successor_used=successor.used_at is not None,
        overlap=timedelta(seconds=conf().refresh_overlap),
        grace=timedelta(seconds=conf().refresh_grace),
    )
    match verdict:
        case Verdict.REPEATED:
            return sessions.pair_of(successor, seed=claims.jti)
        case Verdict.REUSED:
            sessions.end(LoginSession.objects.filter(pk=session.pk), reason=Reason.REUSED)
    return verdict
