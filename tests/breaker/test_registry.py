"""Names made per call: how many there may be, who leaves, and that nothing is lost."""

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from weakref import ref

import pytest
import redis
from django.utils import timezone
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker

from breaker import (
    CircuitNameError,
    CircuitOpenError,
    PolicyError,
    circuit_breaker,
    control,
    get_breaker,
    registry,
)
from breaker.agent import agent
from breaker.breaker import Breaker
from breaker.circuit import Verb
from breaker.control import act
from breaker.history import history
from breaker.link import link
from breaker.models import BreakerState
from breaker.policy import Policy
from breaker.registry import borrowed, breakers, keyed_breaker, known
from breaker.window import Tally
from config.redis import caches
from tests.breaker.test_guard import Down, fail
from tests.locking.workers import forked
from tests.servers import Cluster, Valkey


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names that other tests have left would fill the room."""
    monkeypatch.setattr(registry, "FULL_FOR", 0.0)
    registry.forget()
    yield
    registry.forget()


@pytest.fixture
def room(settings: Settings) -> Callable[[int], None]:
    def make(size: int) -> None:
        settings.BREAKER = {**settings.BREAKER, "MAX_KEYED": size}

    return make


def keyed(name: str, window: float = 60.0) -> Breaker:
    return keyed_breaker(f"swarm:{name}", {"window": window}, overflow="swarm:__other__")


def as_number(number: int) -> int:
    return number


def names(prefix: str = "swarm") -> set[str]:
    split = (breaker.name.split(":", 1) for breaker in breakers() if ":" in breaker.name)
    return {rest for first, rest in split if first == prefix}


def test_names_beyond_the_room_share_one_circuit(room: Callable[[int], None]) -> None:
    room(2)
    assert [keyed(name).name for name in "abcad"] == [
        "swarm:a",
        "swarm:b",
        "swarm:__other__",
        "swarm:a",
        "swarm:__other__",
    ]


def test_the_shared_circuit_is_a_normal_one_with_the_same_options(
    room: Callable[[int], None],
) -> None:
    room(1)

    @circuit_breaker("shared", key=lambda url: url, failure_threshold=1)
    def call(url: str) -> None:
        fail()

    for url in ("a", "b"):
        with pytest.raises(Down):
            call(url)
    with pytest.raises(CircuitOpenError, match="shared:__other__"):
        call("c")
    assert get_breaker("shared:__other__").options == {"failure_threshold": 1}


def test_a_decorator_whose_shared_name_is_too_long_is_refused_where_it_is_written() -> None:
    with pytest.raises(CircuitNameError):
        circuit_breaker("x" * 195, key=str)(print)


@pytest.mark.parametrize("letter", ["x", "\n"], ids=["text", "control"])
def test_a_value_of_any_length_has_a_circuit_of_its_own(letter: str) -> None:
    @circuit_breaker("long", key=lambda value: value)
    def call(value: str) -> str:
        return value

    others = {breaker.name for breaker in breakers()}
    values = ["a" + letter * 300, "b" + letter * 300, "a" + letter * 299]
    for value in (*values, *values):
        assert call(value) == value
    made = {breaker.name for breaker in breakers()} - others
    assert len(made) == 3
    assert all(len(name) <= 200 and name.isprintable() for name in made)
    if letter == "x":
        assert all(name.startswith(("long:axxx", "long:bxxx")) for name in made)


@pytest.mark.parametrize("name", ["x" * 201, "a/transitions", "/transitions"])
def test_a_name_in_the_code_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(CircuitNameError):
        get_breaker(name)


def test_a_value_that_ends_like_the_url_of_another_circuit_has_one_of_its_own() -> None:
    @circuit_breaker("urls", key=lambda url: url)
    def call(url: str) -> str:
        return url

    for _ in range(2):
        assert call("host/transitions") == "host/transitions"
        assert call("host") == "host"
    (made,) = {one.name for one in breakers() if one.name.startswith("urls:host/transitions")}
    assert not made.endswith("/transitions")


def test_a_row_of_a_name_that_can_no_longer_be_disturbs_no_list(
    transactional_db: None, settings: Settings
) -> None:
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
    BreakerState.objects.create(
        name="old/transitions", state="open", epoch=5, attempt=1, changed_at=timezone.now()
    )
    assert control.page().rows == []
    assert agent.flush(30)


class TestWhoLeaves:
    def test_those_called_longest_ago(self, room: Callable[[int], None]) -> None:
        room(20)
        for number in range(20):
            keyed(str(number), window=0.01)
        time.sleep(0.02)
        keyed("0", window=0.01).call(int)
        agent.flush()
        time.sleep(0.02)
        assert keyed("new").name == "swarm:new"
        assert set(map(str, range(20))) - names() == {"1", "2"}

    def test_nobody_within_a_window(self, room: Callable[[int], None]) -> None:
        room(1)
        keyed("busy", window=60.0).call(int)
        assert keyed("new").name == "swarm:__other__"

    def test_not_one_with_counts_yet_to_write(self, room: Callable[[int], None]) -> None:
        room(1)
        held = keyed("counting", window=0.01)
        held.replica.load()
        time.sleep(0.02)
        held.replica.snapshot.counts.refill()
        del held
        assert keyed("new").name == "swarm:__other__"

    @pytest.mark.parametrize("verb", [Verb.OPEN, Verb.DISABLE, Verb.METRICS_ONLY])
    def test_not_one_under_an_override(self, room: Callable[[int], None], verb: Verb) -> None:
        room(1)
        keyed("overridden", window=0.01).call(int)
        act("swarm:overridden", verb, actor="ada", reason="maintenance")
        time.sleep(0.02)
        assert keyed("new").name == "swarm:__other__"

    def test_not_an_open_one(self, room: Callable[[int], None]) -> None:
        room(1)
        options = {"window": 0.01, "failure_threshold": 1}
        keyed_breaker("swarm:opened", options, overflow="swarm:__other__").allow().fail()
        time.sleep(0.02)
        assert keyed("new").name == "swarm:__other__"

    def test_not_one_with_a_call_in_flight(self, room: Callable[[int], None]) -> None:
        room(1)
        entered, leave = threading.Event(), threading.Event()

        def hang() -> None:
            entered.set()
            leave.wait(30)

        thread = threading.Thread(target=lambda: keyed("hanging", window=0.01).call(hang))
        thread.start()
        assert entered.wait(30)
        time.sleep(0.02)
        assert keyed("new").name == "swarm:__other__"
        leave.set()
        thread.join()
        agent.flush()
        time.sleep(0.02)
        assert keyed("new").name == "swarm:new"

    def test_not_one_that_is_given_in_code(self, room: Callable[[int], None]) -> None:
        room(1)
        keyed("named", window=0.01)
        named = ref(get_breaker("swarm:named"))
        time.sleep(0.02)
        assert keyed("new").name == "swarm:new"
        assert named() is get_breaker("swarm:named")


def test_one_that_left_is_neither_watched_nor_forgotten_by_the_store(
    room: Callable[[int], None],
) -> None:
    room(1)
    keyed("gone", window=5.0).call(int)
    agent.flush()
    breaker = keyed("gone")
    breaker.replica.heard_at -= 10
    del breaker
    keyed("new").call(int)
    agent.flush()
    assert agent.names() == {"swarm:new"}
    assert link.shared().load("swarm:gone", Policy()).tally.ok == 1
    assert keyed("gone").name == "swarm:__other__"


def test_room_is_looked_for_once_a_while(
    room: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    room(1)
    monkeypatch.setattr(registry, "FULL_FOR", 0.5)
    keyed("first", window=0.01).call(int)
    assert keyed("second").name == "swarm:__other__"
    agent.flush()
    time.sleep(0.02)
    assert keyed("second").name == "swarm:__other__"
    time.sleep(0.5)
    assert keyed("second").name == "swarm:second"


def test_asking_from_outside_leaves_nothing_behind() -> None:
    get_redis_connection("breaker").flushall()
    link.shared().command("elsewhere", Policy(), Verb.DISABLE, actor="ada", reason="maintenance")
    assert borrowed("elsewhere").replica.load().word == "disabled"
    agent.flush()
    assert not known("elsewhere")
    assert agent.names() == set()
    mine = get_breaker("mine")
    assert borrowed("mine") is mine


def test_the_last_counts_of_one_that_is_gone_are_written() -> None:
    borrowed("brief").call(str)
    assert not known("brief")
    agent.flush()
    assert link.shared().load("brief", Policy()).tally.ok == 1


def test_options_that_cannot_be_leave_no_breaker_behind() -> None:
    with pytest.raises(PolicyError):
        get_breaker("bad", window=0)
    assert not known("bad")


def objects() -> int:
    """How many of breaker's classes there are; what tools measure meanwhile is none of them."""
    gc.collect()
    return sum(str(type(one).__module__).startswith("breaker.") for one in gc.get_objects())


@pytest.mark.race
class TestTenThousandNames:
    def test_at_once_fill_the_room_and_no_more(
        self, own_store: Valkey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The store is a patient one: while it is given up, each circuit has a copy of it here."""
        monkeypatch.setattr(registry, "FULL_FOR", 1.0)
        threads = threading.active_count()
        call = circuit_breaker("flood", key=lambda number: number)(as_number)
        for number in range(1_100):
            call(number)
        agent.flush()
        before = objects()
        for number in range(1_100, 10_000):
            call(number)
        agent.flush()
        assert objects() < before + 100
        assert len(names("flood")) == 1_001
        assert len(link.shared().catalogue.names()) == 1_001
        with redis.Redis.from_url(own_store.url) as client:
            assert client.dbsize() <= 1_001 + 2  # the version and the names
        assert threading.active_count() <= threads + 2  # the agent, the history
        assert link.shared().load("flood:__other__", Policy()).totals.ok == 9_000

    def test_one_after_the_other_come_and_go(
        self, server: "redis.Redis", room: Callable[[int], None]
    ) -> None:
        room(100)
        call = circuit_breaker("stream", key=lambda number: number, window=0.05)(as_number)
        deadline = time.monotonic() + 120
        for number in range(3_000):
            call(number)
            while number and not known(f"stream:{number}"):
                assert time.monotonic() < deadline
                agent.flush()
                time.sleep(0.06)
                call(number)
        agent.flush()
        assert len(names("stream")) <= 101
        assert len(agent.names()) <= 101
        time.sleep(0.12)
        link.shared().catalogue.tidy()
        assert server.keys("cb:*circuit*") == []
        assert link.shared().catalogue.names() == []

    def test_leave_the_list_of_a_cluster_too(
        self, settings: Settings, request: pytest.FixtureRequest
    ) -> None:
        cluster = Cluster()
        request.addfinalizer(cluster.stop)
        alias = caches(cluster.url)["breaker"]
        alias["OPTIONS"]["SOCKET_TIMEOUT"] = 5.0
        settings.CACHES = {**settings.CACHES, "breaker": alias}
        for number in range(250):
            link.shared().record(str(number), Policy(window=0.05), Tally(ok=1), epoch=0)
        link.shared().record("lasting", Policy(), Tally(ok=1), epoch=0)
        time.sleep(0.12)
        link.shared().catalogue.tidy()
        assert link.shared().catalogue.names() == ["lasting"]

    def test_while_the_database_is_down_leave_no_queue_without_end(
        self,
        transactional_db: None,
        settings: Settings,
        room: Callable[[int], None],
        django_db_blocker: DjangoDbBlocker,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("breaker.history.LONGEST_QUEUE", 100)
        room(10)
        settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
        call = circuit_breaker("queue", key=lambda number: number, window=0.01)(
            lambda number: number
        )
        with django_db_blocker.block():
            for number in range(300):
                call(number)
                if not known(f"queue:{number}"):
                    agent.flush(0)
                    time.sleep(0.02)
            assert len(history._wanted) <= 100
        assert agent.flush(30)
        assert not history._wanted

    def test_called_by_many_threads_lose_no_call(self, room: Callable[[int], None]) -> None:
        """Circuits that have moved keep their totals in the store while they come and go here."""
        room(4)
        spelled = [f"crowd:{letter}" for letter in "abcdefghijkl"]
        everyone = [*spelled, "crowd:__other__"]
        for name in everyone:
            link.shared().command(name, Policy(), Verb.CLOSE, actor="ada", reason="a new epoch")
        options = {"window": 0.01}
        stop = time.monotonic() + 4

        def hammer(seed: int) -> int:
            calls = 0
            while time.monotonic() < stop:
                name = spelled[(calls // 50 + seed) % len(spelled)]
                keyed_breaker(name, options, overflow="crowd:__other__").call(int)
                calls += 1
                if not calls % 50:
                    time.sleep(0.02)
            return calls

        with ThreadPoolExecutor(8) as pool:
            made = sum(pool.map(hammer, range(8)))
        agent.flush()
        gc.collect()
        agent.flush()
        stored = sum(link.shared().load(name, Policy()).totals.ok for name in everyone)
        assert stored == made
        assert len(names("crowd")) <= 5


def test_a_child_forked_while_a_name_leaves_can_make_its_own(room: Callable[[int], None]) -> None:
    room(3)
    for name in "abc":
        keyed(name)
    # Another thread is between the two steps of an eviction.
    left = registry._breakers.pop("swarm:b")

    def work() -> None:
        assert keyed("child").name == "swarm:child"
        assert keyed("one more").name == "swarm:__other__"

    assert forked(work) == 0
    registry._breakers["swarm:b"] = left


def test_a_child_forked_while_names_change_can_make_its_own() -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with registry._changing:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    if (child := os.fork()) == 0:
        signal.alarm(10)
        try:
            os._exit(0 if keyed("child").name == "swarm:child" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    done.set()
    thread.join()
