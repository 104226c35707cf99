"""Who looks at all circuits every second does not ask for each of them."""

from typing import Any

import pytest
import redis

from breaker import get_breaker
from breaker.agent import agent
from breaker.census import Census
from breaker.circuit import Verb
from breaker.control import act
from breaker.link import link
from breaker.policy import Policy
from breaker.window import Tally
from tests.breaker.test_guard import open_circuit
from tests.servers import Valkey


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def census(clock: Clock) -> Census:
    return Census(clock)


def scripts(server: "redis.Redis") -> int:
    stats: dict[str, Any] = server.info("commandstats")
    return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


def test_idle_circuits_are_not_asked_for_again(census: Census, server: "redis.Redis") -> None:
    for number in range(50):
        get_breaker(f"idle-{number}").call(int)
    agent.flush()
    assert len(census.circuits()) == 50
    before = scripts(server)
    for _ in range(20):
        assert len(census.circuits()) == 50
    assert scripts(server) - before < 10


def test_a_transition_anywhere_is_seen_at_once(census: Census) -> None:
    get_breaker("veo").call(int)
    assert [one.word for one in census.circuits()] == ["closed"]
    link.shared().record("veo", Policy(failure_threshold=1), Tally(failed=1), epoch=0)
    assert [one.word for one in census.circuits()] == ["open"]
    act("veo", Verb.DISABLE, actor="ada", reason="r")
    assert [one.word for one in census.circuits()] == ["disabled"]


def test_counts_are_read_again_after_a_while(census: Census, clock: Clock) -> None:
    get_breaker("census:old").call(int)
    agent.flush()
    assert census.circuits()[0].calls == 1
    get_breaker("census:old").call(int)
    get_breaker("census:new").call(int)
    agent.flush()
    clock.now += 9
    assert [one.name for one in census.circuits()] == ["census:old"]
    clock.now += 1
    found = [(one.name, one.calls) for one in census.circuits()]
    assert found == [("census:new", 1), ("census:old", 2)]


def test_what_is_left_of_a_time_grows_less(census: Census, clock: Clock) -> None:
    open_circuit("veo")
    get_breaker("imagen").call(int)
    act("imagen", Verb.OPEN, actor="ada", reason="r", expires_in=5)
    census.circuits()
    clock.now += 4
    imagen, veo = census.circuits()
    assert 55 < veo.retry_after <= 56
    assert 0.5 < (imagen.override_ends_in or 0) <= 1
    clock.now += 4
    assert 0 < (census.circuits()[0].override_ends_in or 0) < 0.01


def test_a_store_that_goes_away_and_comes_back_is_noticed(
    census: Census, own_store: Valkey
) -> None:
    get_breaker("veo").call(int)
    agent.flush()
    assert [one.source for one in census.circuits()] == ["shared"]
    own_store.stop()
    assert [one.source for one in census.circuits()] == ["local"]
    assert [one.source for one in census.circuits()] == ["local"]
