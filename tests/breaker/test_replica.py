"""What a process makes of operators, of outages, of trials without end and of dead colleagues."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings

import breaker.agent
import breaker.rumours
from breaker import CircuitOpenError, get_breaker
from breaker.agent import agent
from breaker.breaker import Breaker
from breaker.circuit import Reason, Verb
from breaker.classify import Outcome
from breaker.control import act, circuits
from breaker.errors import CircuitKeyMisused
from breaker.history import history
from breaker.link import link
from breaker.models import BreakerState, BreakerTransition
from breaker.options import Options
from breaker.policy import Policy
from breaker.window import Tally
from config.redis import caches
from tests.breaker.test_guard import Down, fail, view
from tests.breaker.test_outages import eventually, fail_until_refused
from tests.servers import Valkey, Watched

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _history(settings: Settings) -> None:
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True}


def said(name: str, verb: Verb, **options: Any) -> None:
    act(name, verb, actor="ann", reason="maintenance", **options)


def refused(breaker: Breaker) -> bool:
    try:
        breaker.call(int)
    except CircuitOpenError:
        return True
    return False


def test_what_an_operator_says_holds_at_once_and_until_it_ends() -> None:
    breaker = get_breaker("said")
    breaker.call(int)
    said("said", Verb.OPEN, expires_in=1)
    with pytest.raises(CircuitOpenError) as refusal:
        breaker.allow()
    assert refusal.value.state == "forced_open"
    assert 0.5 < refusal.value.retry_after <= 1
    eventually(lambda: not refused(breaker))


def test_who_is_refused_without_end_is_told_the_usual_time() -> None:
    breaker = get_breaker("endless", open_timeout=7)
    breaker.call(int)
    said("endless", Verb.OPEN)
    with pytest.raises(CircuitOpenError) as refusal:
        breaker.allow()
    assert refusal.value.retry_after == 7


def test_a_disabled_circuit_that_nobody_calls_wakes_up_on_time() -> None:
    breaker = get_breaker("dozing", failure_threshold=1)
    breaker.call(int)
    said("dozing", Verb.DISABLE, expires_in=1)
    with pytest.raises(Down):
        breaker.call(fail)
    assert view("dozing").totals.failed == 0
    eventually(lambda: view("dozing").override is None)
    eventually(lambda: breaker.replica.snapshot.seed.override is None)
    assert fail_until_refused(breaker, 1) == 1


def test_an_override_outlives_the_loss_of_all_data() -> None:
    breaker = get_breaker("kept override", failure_threshold=1)
    breaker.call(int)
    said("kept override", Verb.METRICS_ONLY)
    get_redis_connection("breaker").flushall()
    for _ in range(3):
        with pytest.raises(Down):
            breaker.call(fail)
    eventually(lambda: view("kept override").override == "metrics_only")
    agent.forget()
    get_redis_connection("breaker").flushall()
    breaker.call(int)
    eventually(lambda: view("kept override").override == "metrics_only")


def test_a_trial_without_end_fails_and_lets_the_circuit_open_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker.agent, "RENEW_EVERY", 0.1)
    agent.forget()
    hung = get_breaker("hung", failure_threshold=1, open_timeout=0.1, half_open_timeout=0.5)
    with pytest.raises(Down):
        hung.call(fail)
    time.sleep(0.15)
    call = hung.allow()
    assert view("hung").state == "half_open"
    eventually(lambda: view("hung").state == "open")
    assert view("hung").reason == Reason.TRIAL_FAILED
    assert "too long" in view("hung").last_error
    call.ok()
    assert view("hung").state == "open"


def test_no_rule_is_asked_about_the_end_of_our_own_patience() -> None:
    asked: list[object] = []
    hung = get_breaker(
        "patient",
        failure_threshold=1,
        open_timeout=0.1,
        half_open_timeout=0.2,
        retry_after=asked.append,
    )
    with pytest.raises(Down):
        hung.call(fail)
    assert [type(end) for end in asked] == [Down]
    time.sleep(0.15)
    call = hung.allow()
    eventually(lambda: view("patient").reason == Reason.TRIAL_FAILED)
    call.ok()
    assert len(asked) == 1
    assert "too long" in view("patient").last_error


def test_the_transition_of_a_process_that_was_killed_is_written_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker.rumours, "WITNESS_AFTER", (0.1, 0.1))
    get_breaker("witnessed").call(int)
    # As a process that dies right after.
    link.shared().record("witnessed", Policy(), Tally(failed=5), epoch=0)
    eventually(lambda: BreakerTransition.objects.filter(name="witnessed").exists())
    row = BreakerTransition.objects.get(name="witnessed")
    assert (row.from_state, row.to_state, row.reason) == ("closed", "open", "threshold_reached")
    assert (row.host, row.pid) == ("", 0)
    assert BreakerState.objects.get(name="witnessed").state == "open"


def test_each_transition_that_was_seen_is_written_though_others_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker.rumours, "WITNESS_AFTER", (3, 3))
    replica = get_breaker("overtaken").replica
    replica.load()
    # As processes that die right after.
    policy = Policy(failure_threshold=1, open_timeout=0.05)
    opened = link.shared().record("overtaken", policy, Tally(failed=1), epoch=0)
    replica.refresh()
    time.sleep(0.1)
    half_open = link.shared().admit_trial("overtaken", policy, epoch=opened.epoch, token="t")
    replica.refresh()
    link.shared().record_trial("overtaken", policy, Outcome.OK, epoch=half_open.epoch, token="t")
    eventually(lambda: BreakerTransition.objects.count() == 3)
    rows = BreakerTransition.objects.order_by("epoch")
    assert [row.to_state for row in rows] == ["open", "half_open", "closed"]


def test_a_key_of_another_kind_takes_one_circuit_from_the_fleet_and_not_all() -> None:
    get_redis_connection("breaker").set("cb:{breaker}:circuit:odd", "not ours")
    odd, even = get_breaker("odd", failure_threshold=2), get_breaker("even", failure_threshold=2)
    assert fail_until_refused(odd, 2) == 2
    assert fail_until_refused(even, 2) == 2
    assert link.up
    assert {status.name: status.source for status in circuits()} == {
        "odd": "local",
        "even": "shared",
    }
    with pytest.raises(CircuitKeyMisused):
        said("odd", Verb.CLOSE)
    assert get_redis_connection("breaker").get("cb:{breaker}:circuit:odd") == b"not ours"


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "7"},
        {"state": "draining", "epoch": "1"},
        {"state": "open", "epoch": "abc"},
        {"state": "closed", "override": "paused"},
    ],
    ids=["of others", "another state", "no number", "another override"],
)
def test_a_hash_that_is_no_circuit_disturbs_nobody(fields: dict[str, str]) -> None:
    get_redis_connection("breaker").hset("cb:{breaker}:circuit:strange", mapping=fields)
    strange = get_breaker("strange", failure_threshold=2)
    assert fail_until_refused(strange, 2) == 2
    assert link.up
    assert {status.name: status.source for status in circuits()} == {"strange": "local"}
    with pytest.raises(CircuitKeyMisused):
        said("strange", Verb.CLOSE)


class TestWithoutTheStore:
    def test_allow_admits_every_call(self, own_store: Valkey) -> None:
        breaker = get_breaker("allowing", failure_threshold=2, on_store_error="allow")
        # More failures than that, if the store is too slow for a moment and all are admitted.
        fail_until_refused(breaker, 10_000)
        own_store.stop()
        eventually(lambda: not refused(breaker))
        for _ in range(5):
            with pytest.raises(Down):
                breaker.call(fail)
        own_store.restart()
        eventually(lambda: refused(breaker))

    def test_reject_refuses_every_call(self, own_store: Valkey) -> None:
        breaker = get_breaker("rejecting", on_store_error="reject")
        breaker.call(int)
        own_store.stop()
        eventually(lambda: refused(breaker))
        with pytest.raises(CircuitOpenError) as refusal:
            breaker.allow()
        assert 0 < refusal.value.retry_after <= 1
        own_store.restart()
        eventually(lambda: not refused(breaker))

    def test_an_operator_who_spoke_to_the_others_is_heard_by_who_was_away(
        self, own_store: Valkey
    ) -> None:
        breaker = get_breaker("away", failure_threshold=1, open_timeout=0.05)
        breaker.call(int)
        link.lost(redis.ConnectionError("cut off"))
        assert fail_until_refused(breaker, 1) == 1
        eventually(lambda: not refused(breaker))
        link.shared().command("away", Policy(), Verb.OPEN, actor="ann", reason="CHG-17")
        eventually(lambda: refused(breaker))
        assert (view("away").word, view("away").actor) == ("forced_open", "ann")

    def test_one_host_is_quorum_enough_for_itself(self, own_store: Valkey) -> None:
        breaker = get_breaker("lonely", failure_threshold=2, trip_quorum=2)
        breaker.call(int)
        own_store.stop()
        assert fail_until_refused(breaker, 2) == 2

    def test_a_circuit_first_used_then_goes_by_the_same_rule(self, own_store: Valkey) -> None:
        own_store.stop()
        assert refused(get_breaker("late", on_store_error="reject"))
        breaker = get_breaker("later", failure_threshold=1, on_store_error="allow")
        for _ in range(3):
            with pytest.raises(Down):
                breaker.call(fail)

    def test_what_an_operator_says_goes_before_either(self, hasty_store: Valkey) -> None:
        forced = get_breaker("forced", on_store_error="allow")
        disabled = get_breaker("disabled", on_store_error="reject")
        other = get_breaker("other", on_store_error="reject")
        for one in (forced, disabled, other):
            one.call(int)
        said("forced", Verb.OPEN, expires_in=6)
        said("disabled", Verb.DISABLE, expires_in=6)
        began = time.monotonic()
        hasty_store.pause()
        eventually(lambda: refused(other))
        eventually(lambda: forced.replica.snapshot.suspended)
        eventually(lambda: disabled.replica.snapshot.suspended)
        said_so = refused(forced), refused(disabled)
        assert said_so == (True, False) or time.monotonic() > began + 6
        eventually(lambda: not refused(forced))
        eventually(lambda: refused(disabled))
        hasty_store.resume()
        eventually(lambda: not refused(disabled))

    def test_one_that_takes_nothing_in_is_out_of_reach(self, own_store: Valkey) -> None:
        breaker = get_breaker("read-only", on_store_error="reject")
        breaker.call(int)
        agent.flush()
        own_store.ask("ACL", "SETUSER", "default", "-@write")
        breaker.call(int)
        eventually(lambda: refused(breaker))
        until = time.monotonic() + 3
        while time.monotonic() < until:
            assert refused(breaker)
            time.sleep(0.01)
        assert not link.up
        own_store.ask("ACL", "SETUSER", "default", "+@write")
        eventually(lambda: not refused(breaker))


def test_a_failover_that_lost_the_last_transition_gets_it_back(settings: Settings) -> None:
    servers = Watched()
    settings.CACHES = {**settings.CACHES, "breaker": caches(servers.url)["breaker"]}
    agent.forget()
    try:
        opened = get_breaker("failover", failure_threshold=1)
        opened.call(int)
        agent.flush()
        assert fail_until_refused(opened, 1) == 1
        epoch = view("failover").epoch
        servers.primary.stop()
        servers.wait_for_promotion()
        servers.replica.ask("FLUSHALL")
        assert refused(opened)
        eventually(lambda: link.up and view_or_none("failover") == ("open", epoch))
        assert refused(opened)
    finally:
        servers.stop()
        agent.forget()


def view_or_none(name: str) -> tuple[str, int] | None:
    try:
        seen = view(name)
    except redis.RedisError:
        return None
    return seen.state.value, seen.epoch


def flush(store: Valkey) -> None:
    store.ask("FLUSHALL")


def restart(store: Valkey) -> None:
    store.stop()
    store.restart()


@pytest.mark.parametrize("disaster", [flush, restart])
def test_a_half_open_circuit_that_is_lost_begins_a_new_round(
    own_store: Valkey, disaster: Callable[[Valkey], None]
) -> None:
    options: Options = {"failure_threshold": 1, "open_timeout": 0.2, "success_threshold": 2}
    breaker = get_breaker("round", **options)
    assert fail_until_refused(breaker, 1) == 1
    time.sleep(0.25)
    old = breaker.allow()
    epoch = view("round").epoch
    disaster(own_store)
    eventually(lambda: view_or_none("round") == ("open", epoch))
    eventually(lambda: breaker.replica.snapshot.state == "open")
    new = breaker.allow()
    with pytest.raises(CircuitOpenError):
        breaker.allow()
    old.fail(ConnectionError())
    assert view("round").state == "half_open", "a trial of the lost round says nothing"
    new.ok()
    breaker.allow().ok()
    assert view("round").state == "closed"


def test_a_failure_that_another_thread_writes_has_its_effect_when_its_call_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaker = get_breaker("together", failure_threshold=1)
    breaker.call(int)
    noting, noted = threading.Event(), threading.Event()

    def note(change: object) -> None:
        noting.set()
        noted.wait(30)

    monkeypatch.setattr(history, "note", note)
    breaker.replica.note(breaker.replica.snapshot, Outcome.FAILURE)
    writer = threading.Thread(target=breaker.replica.flush)
    writer.start()
    assert noting.wait(30)
    assert refused(breaker)
    noted.set()
    writer.join()
