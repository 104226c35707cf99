import pytest

from locking import lifetimes
from locking.lifetimes import Course, State

FACTS = {"due": 10, "deadline": 30, "hold_until": 100, "renewed": True, "orphaned": False}


@pytest.mark.parametrize(
    ("state", "now", "facts", "course"),
    [
        (State.ASKED, 50, {}, Course.REST),
        (State.RELEASED, 0, {}, Course.FORGET),
        (State.EXPIRED, 0, {}, Course.FORGET),
        (State.REVOKED, 0, {}, Course.FORGET),
        (State.HELD, 9.9, {}, Course.REST),
        (State.HELD, 10, {}, Course.RENEW),
        (State.HELD, 29.9, {}, Course.RENEW),
        (State.HELD, 30, {}, Course.EXPIRE),
        (State.HELD, 29.9, {"renewed": False}, Course.REST),
        (State.HELD, 30, {"renewed": False}, Course.EXPIRE),
        (State.HELD, 9.9, {"orphaned": True}, Course.REST),
        (State.HELD, 10, {"orphaned": True}, Course.ORPHANED),
        (State.HELD, 30, {"orphaned": True}, Course.EXPIRE),
        (State.HELD, 9.9, {"hold_until": 5}, Course.REST),
        (State.HELD, 10, {"hold_until": 10}, Course.OVERSTAYED),
        (State.HELD, 10, {"hold_until": 10.1}, Course.RENEW),
        (State.HELD, 30, {"hold_until": 10}, Course.EXPIRE),
    ],
)
def test_what_a_watchdog_does_about_a_lease(state, now, facts, course):
    assert lifetimes.course(state, now, **FACTS | facts) is course


@pytest.mark.parametrize("lease", [0.01, 0.3, 30, 604_800])
@pytest.mark.parametrize("jitter", [0, 0.3, 0.999])
@pytest.mark.parametrize("deadline", [100.0, 123_456.789, 1e8])
def test_a_lease_is_renewed_when_about_a_third_of_it_is_over(lease, jitter, deadline):
    left = deadline - lifetimes.due(deadline, lease, jitter)
    assert lease * 2 / 3 - 1e-6 <= left <= lease * (2 / 3 + 1 / 16) + 1e-6


def test_leases_granted_at_about_the_same_time_are_renewed_together():
    dues = {lifetimes.due(1000 + n / 1000, 30, 0.5) for n in range(1000)}
    assert len(dues) <= 2


def test_jitter_sets_the_renewals_of_processes_apart():
    dues = {lifetimes.due(1000, 30, n / 100) for n in range(100)}
    assert len(dues) > 50


@pytest.mark.parametrize(
    ("deadline", "retry"),
    [(100.0, 1.0), (4.0, 0.5), (0.08, 0.01), (0.04, 0.01), (0.005, 0.005), (0.0, 0.0)],
)
def test_a_renewal_is_tried_again_the_sooner_the_nearer_the_deadline(deadline, retry):
    assert lifetimes.retry(1000.0, 1000 + deadline) == pytest.approx(1000 + retry)


@pytest.mark.parametrize(
    ("nearest", "patience"),
    [(20.0, 10.0), (1.0, 0.5), (0.2, 0.1), (0.15, 0.1), (0.1, 0.1), (0.05, 0.05), (0.0, 0.0)],
)
def test_a_silent_store_is_given_half_of_the_time_left_or_a_little_more(nearest, patience):
    assert lifetimes.answer_by(1000.0, 1000 + nearest) == pytest.approx(1000 + patience)
