"""The statements do to rows what ``lockout`` does to values."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from accounts import attempts, lockout
from accounts.attempts import Subject, policy, state
from accounts.audit import Origin
from accounts.errors import AccountLocked, RateLimited
from accounts.lockout import State, Verdict
from accounts.models import AuthEvent, Dimension, EventKind, LoginGuard
from accounts.statements import ADMIT, FAIL, FOLD, run

pytestmark = pytest.mark.django_db

SUBJECT = Subject(Dimension.ACCOUNT, "0" * 64)
HERE = Origin("10.0.0.0/24")
NOW = timezone.now().replace(microsecond=0)
ROW = {"dimension": SUBJECT.dimension.value, "digest": SUBJECT.digest, "user": None}


def store(given: State) -> LoginGuard:
    LoginGuard.objects.all().delete()
    return LoginGuard.objects.create(
        dimension=SUBJECT.dimension,
        digest=SUBJECT.digest,
        **{name: getattr(given, name) for name in State.__slots__},
    )


def stored() -> State:
    return state(LoginGuard.objects.get())


def states(number: int) -> list[State]:
    """Whatever a row may hold, at random, moments on the edge among them."""
    random = Random(7)
    ages = [0, 1, 29, 30, 31, 900, 86_399, 86_400, 90_000]
    ends = [None, None, *(timedelta(seconds=age) for age in (-86_401, -86_400, -1, 0, 1, 900))]
    found = []
    for _ in range(number):
        failed = random.randrange(7)
        end = random.choice(ends)
        found.append(
            State(
                touched_at=NOW - timedelta(seconds=random.choice(ages)),
                failed=failed,
                pending=random.randrange(7),
                level=random.randrange(10),
                generation=random.randrange(3),
                locked_until=None if end is None else NOW + end,
                hard=random.random() < 0.1,
            )
        )
    return found


def test_admission_does_to_a_row_what_it_does_to_a_value() -> None:
    seen = set()
    for given in states(300):
        store(given)
        admitted = bool(run(ADMIT, ROW, policy(), NOW))
        expected = lockout.admit(given, policy(), NOW)
        assert admitted == isinstance(expected, State), given
        assert stored() == (expected if isinstance(expected, State) else given)
        seen.add(expected if isinstance(expected, Verdict) else "admitted")
    assert seen == {*Verdict, "admitted"}


def test_a_failure_does_to_a_row_what_it_does_to_a_value() -> None:
    for given in states(200):
        if given.locked_until or not given.pending or given.hard:
            continue
        row = store(given)
        values = {"id": row.pk, "generation": given.generation}
        told = run(FAIL, values, policy(), NOW)
        expected = lockout.fail(given, policy(), NOW)
        assert stored() == expected
        ((level, until),) = told
        assert (level, bool(until)) == (expected.level, bool(expected.locked_until))


def test_a_lock_that_is_due_falls_on_a_row_as_on_a_value() -> None:
    fallen = 0
    for given in states(300):
        if lockout.admit(given, policy(), NOW) is not Verdict.DUE or given.locked_until:
            continue
        row = store(given)
        values = {"id": row.pk, "generation": given.generation}
        expected = lockout.fold(given, policy(), NOW)
        ((level, until),) = run(FOLD, values, policy(), NOW)
        assert until
        assert level == expected.level
        # Where no try was written off, the value need not move on for that as well.
        assert replace(stored(), generation=0) == replace(expected, generation=0)
        assert run(FOLD, values, policy(), NOW) == []
        fallen += 1
    assert fallen > 10


def test_locks_may_all_last_equally_long(settings: Settings) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "LOCKOUT_LONGEST": 900, "LOCKOUT_TRIES": 1}
    for level in (1, 2):
        attempts.fail(attempts.reserve(SUBJECT, HERE), HERE)
        found = stored()
        assert found.level == level
        assert found.locked_until == found.touched_at + timedelta(minutes=15)
        over = timezone.now() - timedelta(seconds=1)
        LoginGuard.objects.update(touched_at=over, locked_until=over)


def test_what_came_late_changes_nothing() -> None:
    late = attempts.reserve(SUBJECT, HERE)
    long_ago = timezone.now() - timedelta(seconds=31)
    LoginGuard.objects.update(touched_at=long_ago)
    attempts.reserve(SUBJECT, HERE)
    before = stored()
    assert (before.failed, before.pending) == (1, 1)
    attempts.fail(late, HERE)
    attempts.cancel(late)
    assert stored() == before


def test_a_password_that_proves_right_late_counts_all_the_same() -> None:
    late = attempts.reserve(SUBJECT, HERE)
    LoginGuard.objects.update(touched_at=timezone.now() - timedelta(seconds=31))
    attempts.reserve(SUBJECT, HERE)
    attempts.succeed(late)
    assert (stored().failed, stored().pending) == (0, 1)


def test_tries_that_died_lock_the_account_once() -> None:
    for _ in range(5):
        attempts.reserve(SUBJECT, HERE)
    with pytest.raises(RateLimited) as busy:
        attempts.reserve(SUBJECT, HERE)
    assert busy.value.retry_after == 1
    assert not stored().locked_until
    LoginGuard.objects.update(touched_at=timezone.now() - timedelta(seconds=31))
    for _ in range(2):
        with pytest.raises(AccountLocked):
            attempts.reserve(SUBJECT, HERE)
    assert stored().level == 1
    assert AuthEvent.objects.filter(kind=EventKind.LOCKED).count() == 1


def test_a_cancelled_try_leaves_no_trace() -> None:
    attempts.cancel(attempts.reserve(SUBJECT, HERE))
    assert (stored().failed, stored().pending) == (0, 0)


def test_an_operators_lock_stops_even_the_right_password_under_way() -> None:
    given = attempts.reserve(SUBJECT, HERE)
    LoginGuard.objects.update(hard=True)
    with pytest.raises(AccountLocked) as refused:
        attempts.succeed(given)
    assert refused.value.retry_after == 86_400


def test_rows_that_mean_nothing_any_more_are_forgotten() -> None:
    now = timezone.now()
    long_ago = now - timedelta(days=1)
    kept = [
        {"touched_at": now},
        {"touched_at": long_ago, "locked_until": now + timedelta(hours=1)},
        {"touched_at": long_ago, "hard": True},
    ]
    for number, more in enumerate([{"touched_at": long_ago}, *kept]):
        values: dict[str, Any] = {"failed": 4, "pending": 0, "level": 0, "generation": 0}
        row = values | {"hard": False} | more
        LoginGuard.objects.create(dimension=Dimension.ACCOUNT, digest=str(number), **row)
    attempts.past(now).delete()
    assert set(LoginGuard.objects.values_list("digest", flat=True)) == {"1", "2", "3"}


@pytest.mark.django_db(transaction=True)
def test_what_was_counted_outlives_the_callers_rollback(user: User) -> None:
    subject = attempts.account(user.pk)
    if connection.vendor == "sqlite":
        with pytest.raises(RuntimeError, match="non_atomic_requests"), transaction.atomic():
            attempts.reserve(subject, HERE)
        return
    with pytest.raises(KeyError), transaction.atomic():
        attempts.fail(attempts.reserve(subject, HERE), HERE)
        raise KeyError
    assert stored().failed == 1


def test_a_user_who_is_deleted_meanwhile_is_not_let_in_and_not_called_locked(user: User) -> None:
    given = attempts.reserve(attempts.account(user.pk), HERE)
    user.delete()
    assert not attempts.succeed(given)
