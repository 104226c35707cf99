"""The rules of the lock, as values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from accounts.lockout import Policy, State, Verdict, admit, fail, fold, is_locked, ladder, lasting

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
POLICY = Policy(
    tries=5,
    first=15 * MINUTE,
    longest=24 * HOUR,
    quiet=24 * HOUR,
    patience=timedelta(seconds=30),
)
FRESH = State(touched_at=NOW)


def test_locks_last_twice_as_long_each_time_up_to_a_day() -> None:
    minutes = [step // MINUTE for step in ladder(POLICY)]
    assert minutes == [15, 30, 60, 120, 240, 480, 960, 1440]
    assert lasting(POLICY, 1) == 15 * MINUTE
    assert lasting(POLICY, 8) == lasting(POLICY, 99) == 24 * HOUR


def test_a_single_length_of_locks_is_a_ladder_of_one() -> None:
    policy = replace(POLICY, longest=POLICY.first)
    assert ladder(policy) == [15 * MINUTE]


@pytest.mark.parametrize(
    ("state", "admitted"),
    [
        (FRESH, State(touched_at=NOW, pending=1)),
        (replace(FRESH, failed=4), State(touched_at=NOW, failed=4, pending=1)),
        (replace(FRESH, failed=4, pending=1), Verdict.BUSY),
        (replace(FRESH, pending=5), Verdict.BUSY),
        (replace(FRESH, failed=5), Verdict.DUE),
        (replace(FRESH, pending=5, touched_at=NOW - MINUTE), Verdict.DUE),
        (
            replace(FRESH, pending=2, touched_at=NOW - MINUTE),
            State(touched_at=NOW, failed=2, pending=1, generation=1),
        ),
        (replace(FRESH, failed=5, locked_until=NOW + MINUTE), Verdict.LOCKED),
        (replace(FRESH, hard=True), Verdict.LOCKED),
        (replace(FRESH, hard=True, touched_at=NOW - 999 * HOUR), Verdict.LOCKED),
        (
            replace(FRESH, failed=5, level=2, locked_until=NOW),
            State(touched_at=NOW, pending=1, level=2, generation=1),
        ),
        (
            replace(FRESH, failed=5, level=2, locked_until=NOW - 24 * HOUR),
            State(touched_at=NOW, pending=1, generation=1),
        ),
        (
            replace(FRESH, failed=4, level=2, touched_at=NOW - 24 * HOUR),
            State(touched_at=NOW, pending=1, generation=1),
        ),
    ],
    ids=[
        "nobody failed", "one left", "the last one is under way", "all are under way",
        "lowered limit", "all died under way", "two died under way", "locked", "by an operator",
        "by an operator long ago", "the lock is over", "a day after the lock",
        "a day after a failure",
    ],
)  # fmt: skip
def test_a_try_is_admitted_or_refused(state: State, admitted: State | Verdict) -> None:
    assert admit(state, POLICY, NOW) == admitted


def test_the_fifth_failure_locks_and_writes_off_what_is_under_way() -> None:
    state = fail(replace(FRESH, failed=3, pending=2), POLICY, NOW)
    assert state == State(touched_at=NOW, failed=4, pending=1)
    locked = fail(state, POLICY, NOW)
    assert (locked.level, locked.generation) == (1, 1)
    assert locked.locked_until == NOW + 15 * MINUTE
    assert is_locked(locked, NOW + 14 * MINUTE)
    assert not is_locked(locked, NOW + 15 * MINUTE)


def test_the_next_lock_lasts_longer() -> None:
    state = fail(replace(FRESH, failed=4, pending=1, level=1), POLICY, NOW)
    assert (state.level, state.locked_until) == (2, NOW + 30 * MINUTE)


def test_tries_that_died_under_way_lock_like_failures() -> None:
    state = fold(replace(FRESH, pending=5, touched_at=NOW - MINUTE), POLICY, NOW)
    assert (state.failed, state.pending, state.level) == (5, 0, 1)
    assert state.locked_until == NOW + 15 * MINUTE


def test_a_lock_of_a_day_is_not_forgotten_on_the_moment_it_ends() -> None:
    ended = replace(FRESH, failed=5, level=8, touched_at=NOW - 24 * HOUR, locked_until=NOW)
    admitted = admit(ended, POLICY, NOW)
    assert isinstance(admitted, State)
    assert admitted.level == 8
