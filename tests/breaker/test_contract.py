"""What both stores promise: the pure circuit in memory and its Lua twin on a server."""

from dataclasses import replace

import pytest

from breaker.circuit import Override, Reason, State, Verb
from breaker.classify import Outcome
from breaker.policy import Policy
from breaker.seed import Seed
from breaker.store import NO_REPORT, Report, View
from breaker.window import Tally
from tests.breaker.benches import Bench

POLICY = Policy(failure_threshold=3, open_timeout=10, window=60)
FAILED = Tally(failed=1)
OPEN = Tally(failed=3)


def opened(bench: Bench, policy: Policy = POLICY, report: Report = NO_REPORT) -> View:
    epoch = bench.store.load("x", POLICY).epoch
    tally = Tally(failed=policy.failure_threshold)
    return bench.store.record("x", policy, tally, epoch=epoch, report=report)


def admitted(bench: Bench, token: str = "t", policy: Policy = POLICY) -> View:
    """Let the open time pass and take a permit."""
    view = bench.store.load("x", POLICY)
    bench.advance(view.remaining / 1000 + 0.01)
    return bench.store.admit_trial("x", policy, epoch=view.epoch, token=token)


def settled(bench: Bench, outcome: Outcome, token: str = "t", policy: Policy = POLICY) -> View:
    epoch = bench.store.load("x", POLICY).epoch
    return bench.store.record_trial("x", policy, outcome, epoch=epoch, token=token)


def seconds(view: View) -> float:
    """Rounded, because the server's own clock runs on while a test talks to it."""
    return round(view.remaining / 1000, 1)


def test_an_unheard_of_circuit_is_closed_and_stays_unheard_of_by_asking(bench: Bench) -> None:
    for _ in range(2):
        view = bench.store.load("x", POLICY)
        assert (view.known, view.state, view.epoch) == (False, State.CLOSED, 0)


def test_the_failure_that_reaches_the_threshold_opens(bench: Bench) -> None:
    first = bench.store.record("x", POLICY, Tally(failed=2), epoch=0)
    assert (first.state, first.moved, first.tally) == (State.CLOSED, False, Tally(failed=2))
    last = bench.store.record("x", POLICY, FAILED, epoch=0, report=Report(error="Boom: no"))
    assert (last.state, last.came_from, last.reason) == (
        State.OPEN,
        State.CLOSED,
        Reason.THRESHOLD_REACHED,
    )
    assert last.epoch >= last.at == last.opened_at
    assert (last.remaining, last.attempt, last.last_error) == (10_000, 1, "Boom: no")
    assert last.tally == Tally(failed=3)


def test_only_the_operation_that_moved_the_circuit_is_told_so(bench: Bench) -> None:
    view = opened(bench)
    later = bench.store.load("x", POLICY)
    assert (view.moved, later.moved, later.reason) == (True, False, Reason.THRESHOLD_REACHED)
    assert not bench.store.record("x", POLICY, FAILED, epoch=view.epoch).moved


def test_throttled_calls_are_failures(bench: Bench) -> None:
    view = bench.store.record("x", POLICY, Tally(failed=1, throttled=2), epoch=0)
    assert view.state is State.OPEN


def test_failures_older_than_the_window_do_not_count(bench: Bench) -> None:
    bench.store.record("x", POLICY, Tally(failed=2), epoch=0)
    bench.advance(30)
    assert bench.store.record("x", POLICY, Tally(ok=1), epoch=0).tally == Tally(ok=1, failed=2)
    bench.advance(36)
    view = bench.store.record("x", POLICY, FAILED, epoch=0)
    assert (view.state, view.tally) == (State.CLOSED, Tally(ok=1, failed=1))


@pytest.mark.parametrize(
    ("tallies", "state"),
    [
        pytest.param([Tally(ok=6, failed=4)], State.CLOSED, id="rate too low"),
        pytest.param([Tally(ok=5, failed=5)], State.OPEN, id="rate reached"),
        pytest.param([Tally(failed=8)], State.CLOSED, id="too few calls"),
        pytest.param([Tally(failed=8), Tally(ok=2)], State.OPEN, id="a success makes up the calls"),
        pytest.param([Tally(failed=2, ok=0)] * 5, State.OPEN, id="bit by bit"),
    ],
)
def test_rate_and_minimum_must_both_be_reached(
    bench: Bench, tallies: list[Tally], state: State
) -> None:
    policy = replace(POLICY, failure_rate=0.5, minimum_calls=10)
    for tally in tallies:
        view = bench.store.record("x", policy, tally, epoch=0)
    assert view.state is state


def test_processes_that_differ_on_the_window_count_together(bench: Bench) -> None:
    bench.store.record("x", POLICY, Tally(ok=1, failed=1), epoch=0)
    view = bench.store.record("x", replace(POLICY, window=30), FAILED, epoch=0)
    assert view.tally == Tally(ok=1, failed=2)
    bench.advance(50)
    view = bench.store.record("x", POLICY, FAILED, epoch=0)
    assert view.tally == Tally(failed=1), "what was too old for one does not come back for all"


def test_results_of_an_earlier_epoch_only_count_as_refusals(bench: Bench) -> None:
    view = opened(bench)
    late = bench.store.record("x", POLICY, OPEN, epoch=0, rejected=2)
    assert (late.epoch, late.remaining <= view.remaining, late.rejected) == (view.epoch, True, 2)
    late = bench.store.record("x", POLICY, Tally(ok=9), epoch=view.epoch, rejected=1)
    assert (late.state, late.tally, late.rejected) == (State.OPEN, view.tally, 3)


def test_a_store_that_lost_its_data_changes_nothing(bench: Bench) -> None:
    bench.store.record("x", POLICY, OPEN, epoch=7)
    bench.store.admit_trial("x", POLICY, epoch=7, token="t")
    bench.store.record_trial("x", POLICY, Outcome.OK, epoch=7, token="t")
    bench.store.renew_trial("x", POLICY, token="t")
    assert not bench.store.load("x", POLICY).known


def test_nobody_may_try_before_the_open_time_is_over(bench: Bench) -> None:
    view = opened(bench)
    bench.advance(9.5)
    early = bench.store.admit_trial("x", POLICY, epoch=view.epoch, token="t")
    assert (early.state, early.granted, seconds(early)) == (State.OPEN, False, 0.5)


def test_a_clock_set_back_does_not_lengthen_the_wait(bench: Bench) -> None:
    opened(bench)
    bench.advance(-3600)
    assert seconds(bench.store.load("x", POLICY)) == 10
    assert admitted(bench).granted


def test_a_clock_set_back_a_little_holds_no_longer_than_the_cap(bench: Bench) -> None:
    opened(bench)
    bench.advance(-80)
    assert not admitted(bench).granted
    bench.advance(81)
    assert admitted(bench).granted


def test_the_first_to_ask_after_it_half_opens(bench: Bench) -> None:
    before = opened(bench)
    view = admitted(bench)
    assert (view.state, view.granted, view.reason) == (
        State.HALF_OPEN,
        True,
        Reason.OPEN_TIMEOUT_PASSED,
    )
    assert view.epoch > before.epoch
    assert view.remaining == 0


def test_no_more_trials_at_once_than_permits(bench: Bench) -> None:
    policy = replace(POLICY, half_open_permits=3, success_threshold=3)
    opened(bench, policy)
    granted = [admitted(bench, token, policy).granted for token in "abcde"]
    assert granted == [True, True, True, False, False]
    settled(bench, Outcome.OK, "a", policy)
    assert not admitted(bench, "f", policy).granted


def test_asking_twice_takes_one_permit(bench: Bench) -> None:
    policy = replace(POLICY, half_open_permits=2)
    opened(bench, policy)
    assert [admitted(bench, token, policy).granted for token in "aabbc"] == [True] * 4 + [False]


def test_more_successes_than_permits_come_one_after_the_other(bench: Bench) -> None:
    policy = replace(POLICY, success_threshold=2)
    opened(bench, policy)
    admitted(bench, "a", policy)
    assert settled(bench, Outcome.OK, "a", policy).state is State.HALF_OPEN
    assert admitted(bench, "b", policy).granted
    view = settled(bench, Outcome.OK, "b", policy)
    assert (view.state, view.reason) == (State.CLOSED, Reason.TRIAL_SUCCEEDED)


def test_a_threshold_lowered_between_trials_closes_at_the_next_success(bench: Bench) -> None:
    strict = replace(POLICY, success_threshold=3)
    opened(bench, strict)
    for token in "ab":
        admitted(bench, token, strict)
        settled(bench, Outcome.OK, token, strict)
    assert admitted(bench, "c").granted
    assert settled(bench, Outcome.OK, "c").state is State.CLOSED


def test_closing_forgets_the_outage(bench: Bench) -> None:
    opened(bench)
    admitted(bench)
    view = settled(bench, Outcome.OK)
    assert (view.state, view.opened_at, view.tally) == (State.CLOSED, 0, Tally())
    assert bench.store.record("x", POLICY, FAILED, epoch=view.epoch).state is State.CLOSED


@pytest.mark.parametrize("outcome", [Outcome.FAILURE, Outcome.THROTTLED])
def test_one_failed_trial_reopens(bench: Bench, outcome: Outcome) -> None:
    opened(bench)
    admitted(bench)
    view = settled(bench, outcome)
    assert (view.state, view.reason, view.attempt) == (State.OPEN, Reason.TRIAL_FAILED, 2)
    assert seconds(view) == 10
    assert view.at - view.opened_at > 10_000, "the outage began with the first opening"


def test_a_neutral_trial_gives_its_permit_back(bench: Bench) -> None:
    opened(bench)
    admitted(bench, "a")
    assert not admitted(bench, "b").granted
    assert settled(bench, Outcome.NEUTRAL, "a").state is State.HALF_OPEN
    assert admitted(bench, "b").granted


def test_a_permit_lapses_unless_it_is_renewed(bench: Bench) -> None:
    opened(bench)
    admitted(bench, "a")
    bench.advance(10)
    bench.store.renew_trial("x", POLICY, token="a")
    bench.advance(10)
    assert not admitted(bench, "b").granted
    bench.advance(5)
    assert admitted(bench, "b").granted
    bench.store.renew_trial("x", POLICY, token="a")
    assert settled(bench, Outcome.FAILURE, "a").state is State.HALF_OPEN
    assert settled(bench, Outcome.OK, "b").state is State.CLOSED


def test_a_permit_is_good_for_one_verdict(bench: Bench) -> None:
    policy = replace(POLICY, success_threshold=2)
    opened(bench, policy)
    admitted(bench, "a", policy)
    for _ in range(2):
        view = settled(bench, Outcome.OK, "a", policy)
    assert view.state is State.HALF_OPEN


def test_a_trial_of_an_earlier_round_says_nothing(bench: Bench) -> None:
    policy = replace(POLICY, half_open_permits=2)
    opened(bench, policy)
    epoch = admitted(bench, "a", policy).epoch
    admitted(bench, "b", policy)
    settled(bench, Outcome.FAILURE, "b", policy)
    view = bench.store.record_trial("x", policy, Outcome.OK, epoch=epoch, token="a")
    assert (view.state, view.attempt) == (State.OPEN, 2)


def test_each_reopening_waits_longer_up_to_the_cap(bench: Bench) -> None:
    policy = replace(POLICY, backoff_factor=3, max_open_timeout=50, jitter=0)
    waits = [seconds(opened(bench, policy))]
    for _ in range(3):
        admitted(bench, "t", policy)
        waits.append(seconds(settled(bench, Outcome.FAILURE, "t", policy)))
    assert waits == [10, 30, 50, 50]


@pytest.mark.parametrize(("healthy", "wait"), [(59, 20), (61, 10)])
def test_the_wait_starts_over_after_a_healthy_window(
    bench: Bench, healthy: float, wait: float
) -> None:
    policy = replace(POLICY, backoff_factor=2, jitter=0)
    opened(bench, policy)
    admitted(bench, "t", policy)
    settled(bench, Outcome.OK, "t", policy)
    bench.advance(healthy)
    assert seconds(opened(bench, policy)) == wait


@pytest.mark.parametrize(
    ("asked", "wait"), [(5, 10), (25, 25), (500, 100)], ids=["shorter", "longer", "above the cap"]
)
def test_retry_after_lengthens_the_open_time(bench: Bench, asked: float, wait: float) -> None:
    report = Report(retry_after=round(asked * 1000))
    assert seconds(opened(bench, report=report)) == wait


def test_an_earlier_wish_to_wait_is_kept(bench: Bench) -> None:
    bench.store.record("x", POLICY, FAILED, epoch=0, report=Report(retry_after=30_000))
    bench.advance(12)
    assert seconds(opened(bench)) == 18


def test_a_failed_trial_may_ask_for_more_time_too(bench: Bench) -> None:
    opened(bench)
    epoch = admitted(bench).epoch
    report = Report(retry_after=40_000, error="Busy")
    view = bench.store.record_trial(
        "x", POLICY, Outcome.THROTTLED, epoch=epoch, token="t", report=report
    )
    assert (seconds(view), view.last_error) == (40, "Busy")


def test_a_seed_restores_the_remaining_time(bench: Bench) -> None:
    seed = Seed(
        state=State.OPEN, epoch=9, remaining=4_000, attempt=2, opened_at=5, last_error="Boom"
    )
    view = bench.store.seed("x", POLICY, seed)
    assert (view.state, view.epoch, view.remaining, view.attempt) == (State.OPEN, 9, 4_000, 2)
    assert (view.opened_at, view.last_error, view.moved) == (5, "Boom", False)
    assert bench.store.load("x", POLICY).known


def test_a_seed_never_overrules_a_later_epoch(bench: Bench) -> None:
    view = opened(bench)
    for epoch in (view.epoch, view.epoch - 1):
        after = bench.store.seed("x", POLICY, Seed(state=State.CLOSED, epoch=epoch))
        assert (after.state, after.epoch) == (State.OPEN, view.epoch)


def test_a_half_open_seed_opens_and_is_due_at_once(bench: Bench) -> None:
    view = bench.store.seed("x", POLICY, Seed(state=State.HALF_OPEN, epoch=9))
    assert (view.state, view.remaining) == (State.OPEN, 0)
    assert bench.store.admit_trial("x", POLICY, epoch=9, token="t").granted


def test_a_seed_may_close(bench: Bench) -> None:
    view = opened(bench)
    after = bench.store.seed("x", POLICY, Seed(state=State.CLOSED, epoch=view.epoch + 1))
    assert (after.state, after.remaining, after.tally) == (State.CLOSED, 0, Tally())


def test_circuits_of_other_names_are_untouched(bench: Bench) -> None:
    opened(bench)
    assert bench.store.load("y", POLICY).state is State.CLOSED


@pytest.mark.parametrize("given", [0.5, None], ids=["as asked", "by default with a back-off"])
def test_jitter_only_lengthens_the_open_time_and_not_beyond_the_cap(
    bench: Bench, given: float | None
) -> None:
    policy = replace(POLICY, backoff_factor=2, jitter=given)
    share = given or 0.1
    waits = set()
    for _ in range(8):
        bench.advance(POLICY.window + 1)
        waits.add(opened(bench, policy).remaining)
        admitted(bench, "t", policy)
        settled(bench, Outcome.OK, "t", policy)
    assert len(waits) > 1
    assert all(10_000 <= wait <= 10_000 * (1 + share) for wait in waits)
    capped = replace(policy, max_open_timeout=10)
    bench.advance(POLICY.window + 1)
    assert opened(bench, capped).remaining == 10_000


def in_a_row(*outcomes: int) -> Tally:
    """Failures, with a success before each 0."""
    return sum((Tally(failed=1, streak=1) if bad else Tally(ok=1) for bad in outcomes), Tally())


@pytest.mark.parametrize(
    ("tallies", "state"),
    [
        pytest.param([in_a_row(1, 1), in_a_row(0), in_a_row(1, 1)], State.CLOSED, id="a success"),
        pytest.param([in_a_row(1, 1), in_a_row(1)], State.OPEN, id="three in a row"),
        pytest.param([in_a_row(1, 0, 1, 1), in_a_row(1)], State.OPEN, id="two batches"),
        pytest.param([in_a_row(1, 1, 0), in_a_row(1, 1)], State.CLOSED, id="a late success"),
        pytest.param([in_a_row(1, 1), Tally(slow=1), in_a_row(1)], State.OPEN, id="slow between"),
    ],
)
def test_failures_in_a_row(bench: Bench, tallies: list[Tally], state: State) -> None:
    policy = replace(POLICY, consecutive=True)
    for tally in tallies:
        view = bench.store.record("x", policy, tally, epoch=0)
        bench.advance(7)  # rows go on from bucket to bucket
    assert view.state is state


def test_a_row_of_failures_older_than_the_window_is_forgotten(bench: Bench) -> None:
    policy = replace(POLICY, consecutive=True)
    bench.store.record("x", policy, in_a_row(1, 1), epoch=0)
    bench.advance(70)
    assert bench.store.record("x", policy, in_a_row(1), epoch=0).state is State.CLOSED


@pytest.mark.parametrize(
    ("tally", "state"),
    [
        pytest.param(Tally(ok=4, slow=2), State.CLOSED, id="too few are slow"),
        pytest.param(Tally(ok=4, slow=3), State.CLOSED, id="too small a share"),
        pytest.param(Tally(ok=3, slow=3), State.OPEN, id="both reached"),
        pytest.param(Tally(ok=3, failed=2, slow=2), State.CLOSED, id="failures are no slow calls"),
    ],
)
def test_slow_calls_open_a_circuit_too(bench: Bench, tally: Tally, state: State) -> None:
    view = bench.store.record("x", POLICY, tally, epoch=0)
    assert view.state is state
    assert view.totals == tally
    if state is State.OPEN:
        assert (view.reason, view.tally) == (Reason.SLOW_RATE_REACHED, tally)


def test_as_many_hosts_as_the_quorum_must_have_met_failures(bench: Bench) -> None:
    policy = replace(POLICY, trip_quorum=2)
    for _ in range(3):
        view = bench.store.record("x", policy, OPEN, epoch=0, host="one")
    assert view.state is State.CLOSED
    assert bench.store.record("x", policy, Tally(ok=1), epoch=0, host="two").state is State.CLOSED
    assert bench.store.record("x", policy, FAILED, epoch=0, host="two").state is State.OPEN


def test_a_host_whose_failures_are_old_is_no_part_of_the_quorum(bench: Bench) -> None:
    policy = replace(POLICY, trip_quorum=2)
    bench.store.record("x", policy, OPEN, epoch=0, host="one")
    bench.advance(61)
    assert bench.store.record("x", policy, OPEN, epoch=0, host="two").state is State.CLOSED
    assert bench.store.record("x", policy, FAILED, epoch=0, host="one").state is State.OPEN


def test_trials_abandoned_three_times_open_the_circuit_again(bench: Bench) -> None:
    opened(bench)
    for token in "abc":
        assert admitted(bench, token).granted
        bench.advance(15)
    view = admitted(bench, "d")
    assert (view.state, view.reason, view.granted) == (State.OPEN, Reason.TRIALS_ABANDONED, False)
    assert (seconds(view), view.attempt) == (10, 2)


def test_totals_outlive_windows_and_transitions(bench: Bench) -> None:
    bench.store.record("x", POLICY, Tally(ok=2, throttled=1), epoch=0)
    opened(bench)
    admitted(bench)
    settled(bench, Outcome.OK)
    bench.advance(100)
    view = bench.store.load("x", POLICY)
    assert (view.tally, view.totals) == (Tally(), Tally(ok=3, failed=3, throttled=1))


def commanded(bench: Bench, verb: Verb, *, lasting: int = 0, expected: int | None = None) -> View:
    return bench.store.command(
        "x", POLICY, verb, actor="ann", reason="the why", lasting=lasting, expected_epoch=expected
    )


@pytest.mark.parametrize(
    ("verb", "word"),
    [
        (Verb.OPEN, Override.FORCED_OPEN),
        (Verb.DISABLE, Override.DISABLED),
        (Verb.METRICS_ONLY, Override.METRICS_ONLY),
        (Verb.CLOSE, State.CLOSED),
        (Verb.AUTO, State.OPEN),
        (Verb.RESET, State.CLOSED),
    ],
)
def test_a_command_is_a_transition_with_an_actor(bench: Bench, verb: Verb, word: str) -> None:
    before = opened(bench)
    view = commanded(bench, verb)
    assert (view.word, view.moved, view.came_from) == (word, True, State.OPEN)
    assert (view.actor, view.reason) == ("ann", "the why")
    assert view.epoch > before.epoch


def test_a_command_that_expected_another_epoch_does_nothing(bench: Bench) -> None:
    epoch = opened(bench).epoch
    stale = commanded(bench, Verb.CLOSE, expected=epoch - 1)
    assert (stale.state, stale.moved, stale.epoch) == (State.OPEN, False, epoch)
    assert commanded(bench, Verb.CLOSE, expected=epoch).state is State.CLOSED


def test_an_override_goes_before_the_state_and_gives_it_back(bench: Bench) -> None:
    opened(bench)
    epoch = commanded(bench, Verb.OPEN).epoch
    bench.advance(60)
    assert not bench.store.admit_trial("x", POLICY, epoch=epoch, token="t").granted
    view = commanded(bench, Verb.AUTO)
    assert (view.word, view.came_from) == (State.OPEN, Override.FORCED_OPEN)
    assert admitted(bench).granted


def test_an_override_ends_by_itself(bench: Bench) -> None:
    view = commanded(bench, Verb.DISABLE, lasting=20_000)
    assert round(view.override_remaining / 1000) == 20
    bench.advance(21)
    view = bench.store.load("x", POLICY)
    assert (view.word, view.came_from) == (State.CLOSED, Override.DISABLED)
    assert (view.moved, view.reason, view.actor) == (True, Reason.OVERRIDE_EXPIRED, "")
    assert not bench.store.load("x", POLICY).moved


def test_who_finds_an_override_at_its_end_does_nothing_else(bench: Bench) -> None:
    epoch = commanded(bench, Verb.METRICS_ONLY, lasting=5_000).epoch
    bench.advance(6)
    view = bench.store.record("x", POLICY, OPEN, epoch=epoch, rejected=1)
    assert (view.reason, view.tally, view.rejected) == (Reason.OVERRIDE_EXPIRED, Tally(), 1)


def test_a_disabled_circuit_counts_nothing(bench: Bench) -> None:
    epoch = commanded(bench, Verb.DISABLE).epoch
    view = bench.store.record("x", POLICY, OPEN, epoch=epoch)
    assert (view.word, view.tally, view.totals) == (Override.DISABLED, Tally(), Tally())


def test_with_metrics_only_a_circuit_counts_and_never_opens(bench: Bench) -> None:
    epoch = commanded(bench, Verb.METRICS_ONLY).epoch
    view = bench.store.record("x", POLICY, OPEN, epoch=epoch)
    assert (view.word, view.state, view.tally) == (Override.METRICS_ONLY, State.CLOSED, OPEN)


def test_closing_keeps_what_a_reset_forgets(bench: Bench) -> None:
    bench.store.record("x", POLICY, Tally(), epoch=0, rejected=4)
    opened(bench, report=Report(error="Boom"))
    view = commanded(bench, Verb.CLOSE)
    assert (view.attempt, view.rejected, view.last_error) == (1, 4, "Boom")
    assert (view.tally, view.opened_at, view.totals) == (Tally(), 0, OPEN)
    view = commanded(bench, Verb.RESET)
    assert (view.attempt, view.rejected, view.last_error, view.totals) == (0, 0, "", Tally())


def test_a_seed_restores_an_override_and_what_is_left_of_it(bench: Bench) -> None:
    seed = Seed(state=State.OPEN, epoch=9, override=Override.DISABLED, override_remaining=4_000)
    view = bench.store.seed("x", POLICY, seed)
    assert (view.word, view.override_remaining) == (Override.DISABLED, 4_000)
    bench.advance(5)
    assert bench.store.load("x", POLICY).word == State.OPEN


def test_what_a_process_did_alone_never_overrules_the_fleet(bench: Bench) -> None:
    shared = opened(bench)
    by_hand = commanded(bench, Verb.OPEN)
    alone = Seed(state=State.CLOSED, epoch=by_hand.epoch + 9, base=shared.epoch)
    assert bench.store.seed("x", POLICY, alone).word == Override.FORCED_OPEN
    agreed = Seed(state=State.CLOSED, epoch=by_hand.epoch + 9, base=by_hand.epoch)
    assert bench.store.seed("x", POLICY, agreed).word == State.CLOSED


def test_a_seed_tells_who_said_so_and_why(bench: Bench) -> None:
    seed = Seed(state=State.CLOSED, epoch=9, override=Override.DISABLED, reason="move", actor="ann")
    view = bench.store.seed("x", POLICY, seed)
    assert (view.reason, view.actor, view.moved) == ("move", "ann", False)


def test_a_clock_set_back_keeps_no_permit_and_no_override_for_longer(bench: Bench) -> None:
    opened(bench)
    assert admitted(bench, "a").granted
    bench.advance(-3600)
    assert admitted(bench, "b").granted
    commanded(bench, Verb.DISABLE, lasting=60_000)
    bench.advance(-3600)
    assert bench.store.load("x", POLICY).word == Override.DISABLED
    bench.advance(61)
    assert bench.store.load("x", POLICY).word != Override.DISABLED
