import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker

from breaker import CircuitOpenError, get_breaker, rows
from breaker.agent import agent
from breaker.change import Change, change_of
from breaker.circuit import Reason, State
from breaker.farewell import before_the_end
from breaker.history import History
from breaker.link import link
from breaker.models import BreakerState, BreakerTransition
from breaker.policy import Policy
from breaker.signals import circuit_changed
from breaker.store import View
from breaker.window import Tally
from tests.breaker.test_guard import Down, fail, open_circuit
from tests.breaker.test_outages import eventually
from tests.locking.workers import forked


@pytest.fixture
def history(transactional_db: None, settings: Settings) -> Iterator[None]:
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
    yield
    assert agent.flush(30)


@pytest.fixture
def changes() -> Iterator[list[Change]]:
    heard: list[Change] = []

    def hear(change: Change, **_: Any) -> None:
        heard.append(change)

    circuit_changed.connect(hear)
    yield heard
    circuit_changed.disconnect(hear)


def change(epoch: int, state: State = State.OPEN, **fields: Any) -> Change:
    view = View(
        known=True,
        state=state,
        override=None,
        override_remaining=0,
        epoch=epoch,
        remaining=30_000,
        attempt=1,
        opened_at=1_700_000_000_000,
        rejected=0,
        last_error="Down",
        tally=Tally(ok=1, failed=5),
        at=1_700_000_000_000,
        totals=Tally(ok=1, failed=5),
        granted=False,
        moved=True,
        came_from=State.CLOSED,
        reason=Reason.THRESHOLD_REACHED,
        actor="",
        since=1_700_000_000_000,
    )
    made = change_of("rows", view._replace(**fields))
    assert made
    return made


def test_each_transition_leaves_a_row_and_the_state_follows(history: None) -> None:
    breaker = get_breaker("story", failure_threshold=2, open_timeout=0.05)
    for _ in range(2):
        with pytest.raises(Down):
            breaker.call(fail)
    assert agent.flush(30)
    row = BreakerState.objects.get()
    assert (row.name, row.state, row.attempt) == ("story", "open", 1)
    assert row.open_until - row.opened_at == timedelta(seconds=0.05)
    assert "Down: out of order" in row.last_error
    while breaker.state != "closed":
        try:
            breaker.call(int)
        except CircuitOpenError:
            continue
    assert agent.flush(30)
    moves = BreakerTransition.objects.order_by("epoch").values_list(
        "from_state", "to_state", "reason"
    )
    assert list(moves) == [
        ("closed", "open", "threshold_reached"),
        ("open", "half_open", "open_timeout_passed"),
        ("half_open", "closed", "trial_succeeded"),
    ]
    assert BreakerTransition.objects.earliest("epoch").counts == {
        "ok": 0,
        "failed": 2,
        "throttled": 0,
        "slow": 0,
    }
    row.refresh_from_db()
    assert (row.state, row.open_until, row.opened_at) == ("closed", None, None)


def test_a_caller_that_rolls_back_does_not_erase_the_transition(history: None) -> None:
    with pytest.raises(Down), transaction.atomic():
        get_breaker("rolled", failure_threshold=1).call(fail)
    assert agent.flush(30)
    assert BreakerTransition.objects.get().name == "rolled"


def test_writing_twice_or_late_changes_nothing(transactional_db: None) -> None:
    rows.write(change(20, State.HALF_OPEN))
    rows.write(change(20))
    rows.write(change(10))
    assert BreakerState.objects.get().state == "half_open"
    assert BreakerTransition.objects.count() == 2


def test_an_open_row_restores_what_store_and_processes_forgot(history: None) -> None:
    open_circuit("restored")
    assert agent.flush(30)
    epoch = BreakerState.objects.get().epoch
    agent.forget()
    get_redis_connection("breaker").flushall()
    breaker = get_breaker("restored")
    breaker.replica.load()
    assert agent.flush(30)
    assert breaker.state == "open"
    view = link.shared().load("restored", Policy())
    assert view.epoch == epoch
    assert 55_000 < view.remaining <= 60_000


def test_a_row_whose_time_is_over_lets_a_trial_decide(history: None) -> None:
    past = timezone.now() - timedelta(days=90)
    BreakerState.objects.create(
        name="old", state="half_open", epoch=5, attempt=2, changed_at=past, opened_at=past
    )
    breaker = get_breaker("old")
    breaker.replica.load()
    assert agent.flush(30)
    assert breaker.state == "open"
    assert breaker.call(int) == 0
    assert breaker.state == "closed"


def test_closed_rows_restore_nothing(transactional_db: None) -> None:
    rows.write(change(10, State.CLOSED))
    assert rows.remembered("rows") is None
    assert rows.remembered("unknown") is None


def test_listeners_hear_of_each_transition_once(
    history: None, changes: list[Change], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("broken listener")

    circuit_changed.connect(broken)
    open_circuit("heard")
    assert agent.flush(30)
    circuit_changed.disconnect(broken)
    assert [(change.name, change.to_state) for change in changes] == [("heard", State.OPEN)]
    assert "broken listener" in caplog.text
    assert BreakerTransition.objects.count() == 1


def test_without_history_listeners_still_hear(
    django_db_blocker: DjangoDbBlocker, changes: list[Change]
) -> None:
    open_circuit("unwritten")
    assert agent.flush(30)
    assert len(changes) == 1


def test_a_database_that_is_down_only_delays_the_rows(
    history: None, changes: list[Change], django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.block():
        open_circuit("delayed")
        assert not agent.flush(0.2)
        assert [change.name for change in changes] == ["delayed"]
        with pytest.raises(CircuitOpenError):
            get_breaker("delayed").allow()
    assert agent.flush(30)
    assert BreakerState.objects.get().name == "delayed"


def test_the_threads_connection_is_closed_when_the_work_is_done(history: None) -> None:
    open_circuit("closed-up")
    assert agent.flush(30)
    assert agent.flush(30)
    assert not [thread for thread in threading.enumerate() if thread.name == "breaker-history"]


def test_a_listener_that_hangs_keeps_no_row_waiting(history: None) -> None:
    over = threading.Event()

    def hang(**_: Any) -> None:
        over.wait(30)

    circuit_changed.connect(hang)
    try:
        for name in ("first", "second"):
            open_circuit(name)
        eventually(lambda: BreakerTransition.objects.count() == 2)
        assert not agent.flush(0.1)
    finally:
        over.set()
        circuit_changed.disconnect(hang)


def test_what_no_thread_can_be_had_for_is_not_taken_for_done(
    history: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: list[int] = []
    threadless = History("threadless")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        threadless.read("one", lambda: done.append(1))
        assert not threadless.drain(0.1)
    threadless.read("two", lambda: done.append(2))
    assert threadless.drain(10)
    assert done == [1, 2]


def test_a_process_that_is_asked_to_end_does_so_though_no_thread_can_tell() -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def work() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        before_the_end(int)
        threading.Thread.start = refuse  # type: ignore[method-assign]
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    assert forked(work) == -signal.SIGTERM
