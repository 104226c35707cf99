"""What operators say and see, whichever door they come through."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings

from breaker import CircuitOpenError, control, get_breaker
from breaker.agent import agent
from breaker.change import Change
from breaker.circuit import Verb
from breaker.control import act
from breaker.errors import CircuitUnknown, CommandInvalid, StaleEpoch
from breaker.link import link
from breaker.models import BreakerState, BreakerTransition
from breaker.policy import Policy
from breaker.signals import circuit_changed
from breaker.status import WORDS
from breaker.window import Tally
from tests.breaker.benches import age
from tests.breaker.test_guard import Down, fail, open_circuit
from tests.breaker.test_outages import eventually


def say(name: str, verb: Verb, **more: Any) -> control.CircuitStatus:
    return act(name, verb, **{"actor": "ada", "reason": "says so"} | more)


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


def test_a_word_is_obeyed_by_callers_at_once() -> None:
    breaker = get_breaker("veo", failure_threshold=1)
    breaker.call(int)
    say("veo", Verb.OPEN)
    with pytest.raises(CircuitOpenError) as refusal:
        breaker.call(int)
    assert refusal.value.state == "forced_open"
    say("veo", Verb.METRICS_ONLY)
    for _ in range(3):
        with pytest.raises(Down):
            breaker.call(fail)
    agent.flush()
    assert control.circuit("veo").failures == 3
    say("veo", Verb.DISABLE)
    with pytest.raises(Down):
        breaker.call(fail)
    agent.flush()
    found = control.circuit("veo")
    assert (found.word, found.failures) == ("disabled", 3)
    assert say("veo", Verb.AUTO).word == "closed"


def test_closing_counts_anew_and_a_reset_forgets() -> None:
    open_circuit("veo")
    closed = say("veo", Verb.CLOSE)
    assert (closed.word, closed.calls, closed.totals.failed) == ("closed", 0, 1)
    assert closed.last_error
    reset = say("veo", Verb.RESET)
    assert (reset.totals, reset.attempt, reset.last_error) == (Tally(), 0, "")


def test_who_said_what_and_why_is_on_record(history: None, changes: list[Change]) -> None:
    open_circuit("veo")
    said = say("veo", Verb.DISABLE, reason="they mend it", expires_in=60)
    row = BreakerTransition.objects.get(epoch=said.epoch)
    assert (row.from_state, row.to_state, row.reason, row.actor) == (
        "open", "disabled", "they mend it", "ada",
    )  # fmt: skip
    state = BreakerState.objects.get()
    assert (state.state, state.override, state.actor) == ("open", "disabled", "ada")
    assert timedelta(seconds=50) < state.override_until - timezone.now() <= timedelta(seconds=60)
    assert [(one.to_state, one.actor) for one in changes] == [("open", ""), ("disabled", "ada")]


def test_looking_changes_nothing(history: None, changes: list[Change]) -> None:
    open_circuit("veo")
    for _ in range(3):
        assert len(control.circuits()) == len(control.page().rows) == 1
        control.circuit("veo")
    assert agent.flush(30)
    assert len(changes) == BreakerTransition.objects.count() == 1


def test_an_override_found_over_by_who_looks_at_all_is_on_record_too(
    history: None, changes: list[Change]
) -> None:
    get_breaker("veo").call(int)
    say("veo", Verb.OPEN, expires_in=60)
    agent.forget()  # nobody but the list looks at it now
    age(get_redis_connection("breaker"), "breaker", 61_000)
    assert [one.word for one in control.circuits()] == ["closed"]
    assert agent.flush(30)
    assert BreakerTransition.objects.latest("epoch").reason == "override_expired"
    assert [one.to_state for one in changes] == ["forced_open", "closed"]


def test_what_only_the_database_remembers_can_be_ended(history: None) -> None:
    get_breaker("veo").call(int)
    seen = say("veo", Verb.OPEN).epoch
    agent.forget()
    get_redis_connection("breaker").flushall()
    assert control.circuit("veo").word == "forced_open"
    agent.forget()
    get_redis_connection("breaker").flushall()
    assert say("veo", Verb.AUTO, expected_epoch=seen).word == "closed"


def test_what_only_the_database_remembers_is_listed(history: None) -> None:
    for name in ("veo", "calm"):
        get_breaker(name).call(int)
        say(name, Verb.OPEN)
    say("calm", Verb.CLOSE)
    assert agent.flush(30)
    agent.forget()
    get_redis_connection("breaker").flushall()
    assert "veo" not in [one.name for one in control.circuits()]
    eventually(lambda: [one.name for one in control.page().rows] == ["veo"])
    assert [one.name for one in control.page(word="forced_open").rows] == ["veo"]
    assert [one.name for one in control.circuits()] == ["veo"]


def test_a_circuit_of_another_process_is_known_by_the_store() -> None:
    link.shared().record("theirs", Policy(), Tally(ok=1), epoch=0)
    assert say("theirs", Verb.OPEN).word == "forced_open"


@pytest.mark.parametrize("name", ["nobodys", "", "x" * 201])
def test_asking_makes_no_circuits(db: None, settings: Settings, name: str) -> None:
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
    with pytest.raises(CircuitUnknown):
        say(name, Verb.OPEN)
    with pytest.raises(CircuitUnknown):
        control.circuit(name)
    with pytest.raises(CircuitUnknown):
        control.transitions(name)
    assert control.circuits() == []


@pytest.mark.parametrize("verb", list(Verb))
def test_of_an_older_epoch_nothing_is_said(verb: Verb) -> None:
    open_circuit("veo")
    before = control.circuit("veo")
    with pytest.raises(StaleEpoch) as stale:
        say("veo", verb, expected_epoch=before.epoch - 1)
    assert stale.value.epoch == before.epoch
    assert control.circuit("veo").epoch == before.epoch


@pytest.mark.parametrize(
    "more",
    [
        {"reason": ""},
        {"reason": "  "},
        {"reason": "two\nlines"},
        {"reason": "x" * 301},
        {"actor": ""},
        {"actor": "x" * 151},
        {"expires_in": 0.0},
        {"expires_in": -1.0},
        {"expires_in": float("nan")},
        {"expires_in": float("inf")},
        {"expires_in": 30 * 86_400 + 1},
    ],
    ids=str,
)
def test_what_makes_no_sense_does_nothing(more: dict[str, Any]) -> None:
    get_breaker("veo").call(int)
    with pytest.raises(CommandInvalid):
        say("veo", Verb.OPEN, **more)
    assert control.circuit("veo").epoch == 0


@pytest.mark.parametrize("verb", [Verb.CLOSE, Verb.AUTO, Verb.RESET])
def test_only_an_override_can_end_by_itself(verb: Verb) -> None:
    get_breaker("veo").call(int)
    with pytest.raises(CommandInvalid):
        say("veo", verb, expires_in=60)


def test_a_page_is_full_however_few_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are not are passed over, in as many trips as it takes."""
    monkeypatch.setattr("breaker.listing.AT_ONCE", 2)
    for number in range(9):
        get_breaker(f"n{number}").call(int)
    for number in (1, 4, 8):
        say(f"n{number}", Verb.OPEN)
    first = control.page(word="forced_open", limit=2)
    assert [one.name for one in first.rows] == ["n1", "n4"]
    last = control.page(word="forced_open", limit=2, cursor=first.following)
    assert ([one.name for one in last.rows], last.following) == (["n8"], None)
    assert [one.name for one in control.page(contains="4").rows] == ["n4"]


def test_each_word_names_what_a_circuit_can_be(history: None) -> None:
    fields = [BreakerTransition._meta.get_field(name) for name in ("from_state", "to_state")]
    for field in fields:
        assert [choice for choice, _ in field.choices or ()] == WORDS


def test_without_redis_each_process_commands_its_own(settings: Settings) -> None:
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {**settings.CACHES, "breaker": memory}
    agent.forget()
    get_breaker("alone").call(int)
    assert say("alone", Verb.OPEN).source == "local"
    assert [one.word for one in control.page().rows] == ["forced_open"]
    with pytest.raises(CircuitOpenError):
        get_breaker("alone").call(int)


@pytest.mark.race
def test_a_word_with_an_end_ends_by_itself(history: None, changes: list[Change]) -> None:
    breaker = get_breaker("veo")
    breaker.call(int)
    assert 0.9 < (say("veo", Verb.OPEN, expires_in=1).override_ends_in or 0) <= 1
    deadline = time.monotonic() + 30
    while control.circuit("veo").word != "closed":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert breaker.call(int) == 0
    assert agent.flush(30)
    told = [(one.to_state, one.actor) for one in changes]
    assert told == [("forced_open", "ada"), ("closed", "")]
