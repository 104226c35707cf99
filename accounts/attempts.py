"""Tries at a password: reserved before it is hashed, settled afterwards.

Each step is one statement, committed by itself, that carries out what ``lockout`` says. Of any
number of parallel guesses as many are admitted as may fail, in all processes together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from . import audit, keys, signals
from .audit import Origin
from .conf import conf
from .errors import AccountLocked, RateLimited
from .lockout import Policy, State, Verdict, admit, is_locked, lasting
from .models import Dimension, EventKind, LoginGuard
from .statements import ADMIT, CANCEL, FAIL, FOLD, SUCCEED, run

# Seconds until a try that waits for others under way is worth repeating.
PAUSE = 1
# How often the row may change between being told no and asking why.
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose tries are counted together."""

    dimension: Dimension
    digest: str
    user_pk: Any = None


@dataclass(frozen=True, slots=True)
class Try:
    subject: Subject
    guard: int
    generation: int


def account(user_pk: Any) -> Subject:
    return Subject(Dimension.ACCOUNT, keys.digest("account", str(user_pk)), user_pk)


def stranger(name: str) -> Subject:
    """A name that is no user's.

    Exactly as it was looked up: if ``Ada`` and ``ada`` were counted together where there is no
    such user, but not where there is one, locking one of them would tell whether the other exists.
    """
    return Subject(Dimension.ACCOUNT, keys.digest("unknown name", name))


def device(user_pk: Any, device_id: str) -> Subject:
    digest = keys.digest("device", str(user_pk), device_id)
    return Subject(Dimension.DEVICE, digest, user_pk)


def policy() -> Policy:
    given = conf()
    return Policy(
        tries=given.lockout_tries,
        first=timedelta(seconds=given.lockout_seconds),
        longest=timedelta(seconds=given.lockout_longest),
        quiet=timedelta(seconds=given.lockout_quiet),
        patience=timedelta(seconds=30),
    )


def reserve(subject: Subject, origin: Origin) -> Try:
    """Raises AccountLocked, and RateLimited while as many tries are under way as may fail."""
    for _ in range(ROUNDS):
        now = timezone.now()
        if rows := run(ADMIT, _row(subject), policy(), now):
            guard, generation = rows[0]
            return Try(subject, guard, generation)
        if (found := _find(subject)) is None:
            continue
        match admit(state(found), policy(), now):
            case Verdict.LOCKED:
                raise AccountLocked(retry_after=remaining(found, now))
            case Verdict.BUSY:
                raise RateLimited(retry_after=PAUSE)
            case Verdict.DUE:
                values = {"id": found.pk, "generation": found.generation}
                told = run(FOLD, values, policy(), now)
                _announce(subject, found.pk, told, now, origin)
    raise RateLimited(retry_after=PAUSE)


def fail(given: Try, origin: Origin) -> None:
    now = timezone.now()
    values = {"id": given.guard, "generation": given.generation}
    _announce(given.subject, given.guard, run(FAIL, values, policy(), now), now, origin)


def succeed(given: Try) -> bool:
    """False if the user was deleted meanwhile, and the row with them.

    Raises AccountLocked if an operator has locked the account.
    """
    values = {"id": given.guard, "generation": given.generation}
    if run(SUCCEED, values, policy(), timezone.now()):
        return True
    if LoginGuard.objects.filter(pk=given.guard).exists():
        raise AccountLocked(retry_after=conf().lockout_longest)
    return False


def cancel(given: Try) -> None:
    """No password was looked at."""
    run(CANCEL, {"id": given.guard, "generation": given.generation}, policy(), timezone.now())


def demand_unlocked(user_pk: Any) -> None:
    """Raises AccountLocked. For users that no try of ours has let in."""
    _demand(account(user_pk), lambda found, now: is_locked(state(found), now))


def demand_no_hard_lock(user_pk: Any) -> None:
    """Raises AccountLocked. A known device passes the locks that strangers cause, and no other."""
    _demand(account(user_pk), lambda found, now: found.hard)


def _demand(subject: Subject, locked: Callable[[LoginGuard, datetime], bool]) -> None:
    now = timezone.now()
    found = _find(subject)
    if found and locked(found, now):
        raise AccountLocked(retry_after=remaining(found, now))


def _find(subject: Subject) -> LoginGuard | None:
    same = LoginGuard.objects.filter(dimension=subject.dimension, digest=subject.digest)
    return same.first()


def state(guard: LoginGuard) -> State:
    return State(
        touched_at=guard.touched_at,
        failed=guard.failed,
        pending=guard.pending,
        level=guard.level,
        generation=guard.generation,
        locked_until=guard.locked_until,
        hard=guard.hard,
    )


def remaining(guard: LoginGuard, now: datetime) -> float:
    """Seconds; as long as any lock for one that ends with an operator."""
    if guard.hard or guard.locked_until is None:
        return conf().lockout_longest
    return (guard.locked_until - now).total_seconds()


def past(now: datetime) -> QuerySet[LoginGuard]:
    """Rows that mean as much as none."""
    before = now - policy().quiet
    quiet = Q(locked_until=None) | Q(locked_until__lte=before)
    return LoginGuard.objects.filter(quiet, hard=False, touched_at__lte=before).order_by(
        "touched_at"
    )


def _announce(
    subject: Subject, guard: int, rows: list[tuple[Any, ...]], now: datetime, origin: Origin
) -> None:
    """Only the one statement that locked says so, so a lock is announced once."""
    if not rows or rows[0][1] is None:
        return
    level = rows[0][0]
    until = now + lasting(policy(), level)
    detail = f"until {until:%Y-%m-%d %H:%M:%S} UTC"
    audit.record(EventKind.LOCKED, subject.user_pk, subject.digest, origin, detail)
    signals.account_locked.send_robust(
        LoginGuard, guard_id=guard, user_id=subject.user_pk, level=level, until=until
    )


def _row(subject: Subject) -> dict[str, Any]:
    field = LoginGuard._meta.get_field("user")
    return {
        "dimension": subject.dimension.value,
        "digest": subject.digest,
        "user": field.get_db_prep_save(subject.user_pk, connection),
    }
