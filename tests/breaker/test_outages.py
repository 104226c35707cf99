"""The shared store goes away, comes back, or forgets."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest
import redis
from django.conf import settings
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings
from redis.client import PubSub

import breaker.agent
from breaker import CircuitOpenError, get_breaker, offload
from breaker.agent import agent
from breaker.breaker import Breaker
from breaker.catalogue import Declaration
from breaker.circuit import State
from breaker.control import circuits
from breaker.follower import Follower
from breaker.link import link
from breaker.policy import Policy
from breaker.shared import SharedStore
from breaker.window import Tally
from config.redis import caches
from tests.breaker.test_guard import Down, fail, open_circuit, view
from tests.rounds import can, can_within
from tests.servers import Valkey

pytestmark = pytest.mark.race
logger = logging.getLogger(__name__)


def eventually(check: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fail_until_refused(breaker: Breaker, at_most: int) -> int:
    for failures in range(at_most + 1):
        try:
            breaker.call(fail)
        except CircuitOpenError:
            return failures
        except Down:
            continue
    pytest.fail("never refused")


def shared_state(name: str) -> State | None:
    try:
        seen = link.shared().load(name, Policy())
    except redis.RedisError:
        return None
    return seen.state if seen.known else None


class Load:
    """Callers whose every tenth call fails, and what each call cost them beyond itself."""

    def __init__(self, breaker: Breaker, *, callers: int) -> None:
        self.breaker = breaker
        self.surprises: list[Exception] = []
        self._costs: list[float] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(callers)]
        for thread in self._threads:
            thread.start()

    def go_on(self, seconds: float) -> None:
        time.sleep(seconds)

    def costs(self) -> list[float]:
        costs, self._costs = self._costs, []
        return costs

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            started = time.perf_counter()
            try:
                self.breaker.call(fail if number % 10 == 0 else int)
            except Down:
                pass
            except Exception as error:
                self.surprises.append(error)
            self._costs.append(time.perf_counter() - started)
            time.sleep(0.002)


def percentile(costs: list[float], percent: int) -> float:
    return sorted(costs)[len(costs) * percent // 100]


def test_an_open_circuit_outlives_the_loss_of_all_data() -> None:
    open_circuit("kept")
    before = view("kept")
    get_redis_connection("breaker").flushall()
    eventually(lambda: shared_state("kept") is State.OPEN)
    after = link.shared().load("kept", Policy())
    assert after.epoch == before.epoch
    assert 57_000 < after.remaining <= before.remaining
    with pytest.raises(CircuitOpenError):
        get_breaker("kept").allow()


def test_a_failure_right_after_the_loss_restores_the_circuit_first() -> None:
    open_circuit("lost", open_timeout=0.05)
    breaker = get_breaker("lost", failure_threshold=2)
    eventually(lambda: passes(breaker))
    epoch = view("lost").epoch
    get_redis_connection("breaker").flushall()
    with pytest.raises(Down):
        breaker.call(fail)
    assert view("lost").epoch == epoch
    assert view("lost").tally.failures == 1


def test_a_half_open_circuit_begins_its_trials_anew_after_the_loss() -> None:
    open_circuit("halved", open_timeout=0.05, half_open_permits=1)
    breaker = get_breaker("halved")
    eventually(lambda: monotonic() >= breaker.replica.snapshot.refuse_until)
    first = breaker.allow()
    assert breaker.state is State.HALF_OPEN
    get_redis_connection("breaker").flushall()
    second = breaker.allow()
    assert second.snapshot.epoch > first.snapshot.epoch
    first.fail(Down("of another round"))
    assert breaker.state is State.HALF_OPEN
    second.ok()
    assert breaker.state is State.CLOSED


def passes(breaker: Breaker) -> bool:
    try:
        breaker.call(int)
    except CircuitOpenError:
        return False
    return True


class TestWithAStoreThatFails:
    def test_a_dead_store_leaves_each_process_protected(self, own_store: Valkey) -> None:
        breaker = get_breaker("dead", failure_threshold=3)
        breaker.call(int)
        own_store.stop()
        assert fail_until_refused(breaker, 3) == 3
        (status,) = circuits()
        assert (status.state, status.source, status.failures) == ("open", "local", 3)
        own_store.restart()
        eventually(lambda: shared_state("dead") is State.OPEN)
        eventually(lambda: circuits()[0].source == "shared")

    def test_an_open_circuit_outlives_a_restart(self, own_store: Valkey) -> None:
        open_circuit("restarted")
        own_store.restart()
        eventually(lambda: shared_state("restarted") is State.OPEN)

    def test_trials_go_on_without_the_store(self, own_store: Valkey) -> None:
        open_circuit("alone", open_timeout=0.1)
        own_store.stop()
        time.sleep(0.15)
        assert get_breaker("alone").call(int) == 0
        assert get_breaker("alone").state == "closed"
        own_store.restart()
        eventually(lambda: link.up)
        assert get_breaker("alone").call(int) == 0

    def test_a_hanging_store_costs_one_time_out(self, hasty_store: Valkey) -> None:
        breaker = get_breaker("hanging", failure_threshold=1000)

        def little() -> bool:
            breaker.call(int)
            hasty_store.pause()
            costs = []
            for _ in range(50):
                started = time.perf_counter()
                with pytest.raises(Down):
                    breaker.call(fail)
                costs.append(time.perf_counter() - started)
            hasty_store.resume()
            eventually(lambda: link.up)
            return sum(costs) < 0.3 and sorted(costs)[-2] < 0.05

        assert can(little)
        with pytest.raises(Down):
            breaker.call(fail)
        assert view("hanging").tally.failures >= 1

    def test_callers_hardly_notice_that_the_store_stops_under_load(
        self, hasty_store: Valkey
    ) -> None:
        breaker = get_breaker("loaded", failure_threshold=100_000)
        breaker.call(int)

        def hardly() -> bool:
            load = Load(breaker, callers=8)
            load.go_on(1)
            before = load.costs()
            hasty_store.pause()
            load.go_on(2)
            during = load.costs()
            hasty_store.resume()
            load.stop()
            eventually(lambda: link.up)
            for name, costs in (("before", before), ("during", during)):
                logger.info("%s: p99 %.2f ms of %d", name, percentile(costs, 99) * 1000, len(costs))
            assert not load.surprises
            late = sum(cost > 0.04 for cost in during)  # the one time-out, met together
            return percentile(during, 99) < percentile(before, 99) + 0.06 and late <= 2 * 8

        assert can(hardly)

    def test_a_circuit_first_used_during_the_outage_works(self, own_store: Valkey) -> None:
        own_store.stop()
        breaker = get_breaker("late", failure_threshold=2)
        assert breaker.call(int) == 0
        assert fail_until_refused(breaker, 2) == 2

    def test_the_state_page_does_not_hang(self, hasty_store: Valkey) -> None:
        get_breaker("page").call(int)
        hasty_store.pause()

        def look() -> None:
            assert [status.source for status in circuits()] == ["local"]

        assert can_within(0.5, look)

    def test_who_only_watches_notices_the_return_too(self, hasty_store: Valkey) -> None:
        link.shared().record("theirs", Policy(), Tally(ok=1), epoch=0)
        assert [status.name for status in circuits()] == ["theirs"]
        hasty_store.pause()
        assert circuits() == []
        hasty_store.resume()
        eventually(lambda: [status.name for status in circuits()] == ["theirs"])

    def test_circuits_that_expired_leave_the_list(self, own_store: Valkey) -> None:
        link.shared().record("gone", Policy(), Tally(ok=1), epoch=0)
        get_redis_connection("breaker").delete("cb:{breaker}:circuit:gone")
        assert circuits() == []
        assert link.shared().catalogue.names() == []


def test_a_process_without_threads_still_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert fail_until_refused(get_breaker("threadless", failure_threshold=2), 2) == 2

    async def call() -> int:
        return await get_breaker("threadless:async").acall(asyncio.sleep, 0, 7)

    offload.reset()
    assert asyncio.run(call()) == 7
    offload.reset()


LAST_CALL = """
import django
django.setup()
from breaker import circuit_breaker

@circuit_breaker("at the end")
def close():
    return "well"

class Client:
    def __del__(self):
        print("closed", close(), flush=True)

client = Client()
"""


def test_a_circuit_first_used_while_the_interpreter_ends_lets_it_end() -> None:
    environ = {**os.environ, "PYTHONPATH": str(settings.BASE_DIR)}
    ended = subprocess.run(
        [sys.executable, "-c", LAST_CALL], env=environ, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "closed well\n"), ended.stderr


def strike(death: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> threading.Thread:
    """Let what nobody foresaw happen to the agent; the thread it befell."""
    struck: list[threading.Thread] = []

    def die(pubsub: PubSub, **kwargs: object) -> None:
        struck.append(threading.current_thread())
        raise death("out of the blue")

    with monkeypatch.context() as patch:
        patch.setattr(PubSub, "get_message", die)
        agent.forget()  # one that listens already may not hear anything
        get_breaker("watched").call(int)
        eventually(lambda: struck)
    return struck[0]


def test_the_agent_outlives_the_unforeseen(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    strike(ValueError, monkeypatch)
    get_breaker("watched").call(int)
    eventually(lambda: link.shared().load("watched", Policy()).tally.ok == 2)
    assert "The breaker agent stumbled" in caplog.text


def test_a_dead_agent_is_replaced_at_the_next_new_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    strike(SystemExit, monkeypatch).join(3)
    get_breaker("next").call(int)
    eventually(lambda: link.shared().load("next", Policy()).tally.ok == 1)


def test_a_cache_that_is_not_redis_means_local_circuits(settings: Settings) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "breaker": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    }
    agent.forget()
    assert fail_until_refused(get_breaker("standalone", failure_threshold=2), 2) == 2
    assert [status.source for status in circuits()] == ["local"]


def test_namespaces_keep_projects_apart(settings: Settings) -> None:
    open_circuit("same")
    agent.forget()
    settings.BREAKER = {**settings.BREAKER, "NAMESPACE": "other"}
    assert get_breaker("same").state == "closed"


def commands(client: "redis.Redis") -> int:
    stats: dict[str, Any] = client.info("commandstats")
    return sum(stat["calls"] for name, stat in stats.items() if name != "cmdstat_info")


def test_closed_and_refused_calls_send_no_commands() -> None:
    closed = get_breaker("closed")
    closed.call(int)
    open_circuit("refusing")
    client = get_redis_connection("breaker")
    client.config_resetstat()
    for _ in range(10_000):
        closed.call(int)
        with pytest.raises(CircuitOpenError):
            get_breaker("refusing").allow()
    # What is left is the agent: a poll a second, and a flush of each circuit, which is a script
    # of a dozen commands, every 100 ms or 1,000 calls.
    assert commands(client) < 250
    agent.flush()
    assert view("closed").tally.ok == 10_001
    assert view("refusing").rejected == 10_000


IDLE = """
import django
django.setup()
from breaker import get_breaker
from breaker.agent import agent
for number in range(100):
    get_breaker(f"idle-{number}").call(int)
agent.flush()
print("idle", flush=True)
input()
"""


def test_idle_circuits_cost_one_read_a_second_however_many(own_valkey: Valkey) -> None:
    """In a process and on a server of their own, so that nothing else is counted."""
    environ = {**os.environ, "REDIS_URL": own_valkey.url, "PYTHONPATH": str(settings.BASE_DIR)}
    command = [sys.executable, "-c", IDLE]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen(command, env=environ, **pipes) as idle,  # type: ignore[call-overload]
        redis.Redis(unix_socket_path=str(own_valkey.socket)) as client,
    ):
        assert idle.stdout.readline() == "idle\n"
        time.sleep(1.2)
        client.config_resetstat()
        time.sleep(2)
        counted = commands(client)
        idle.communicate("\n", timeout=60)
    assert 1 <= counted <= 4


def test_a_namespace_that_comes_to_be_has_lost_nothing() -> None:
    first, second, names = Follower(), Follower(), ["a", "b"]
    client = get_redis_connection("breaker")
    client.flushall()
    assert list(first.stale(names, moved=False)) == []
    link.shared().catalogue.tell([Declaration("a", {}, True)])
    assert list(first.stale(names, moved=False)) == []
    assert list(second.stale(names, moved=False)) == names  # who knows what was before
    client.flushall()
    assert list(first.stale(names, moved=False)) == names
    for one in (first, second):
        one.hang_up()


def test_the_sweep_asks_only_for_circuits_that_ever_moved() -> None:
    for number in range(20):
        get_breaker(f"sweep:{number}").call(int)
    open_circuit("sweep:open")
    agent.flush()
    link.shared().record("sweep:0", Policy(failure_threshold=1), Tally(failed=1), epoch=0)
    known = {f"sweep:{number}": 0 for number in range(20)}
    known["sweep:open"] = view("sweep:open").epoch
    client = get_redis_connection("breaker")
    client.config_resetstat()
    assert list(Follower().astray(known)) == ["sweep:0"]
    assert client.info("commandstats")["cmdstat_hget"]["calls"] == 2
    client.delete("cb:{breaker}:names", "cb:{breaker}:circuit:sweep:open")
    assert list(Follower().astray(known)) == ["sweep:open"]


def test_a_trial_under_way_keeps_its_permit() -> None:
    open_circuit("long", open_timeout=0.05)
    time.sleep(0.06)
    breaker = get_breaker("long")
    call = breaker.allow()
    key = "cb:{breaker}:leases:long"
    client = get_redis_connection("breaker")
    client.zadd(key, {call.token: link.shared().load("long", Policy()).at + 1_000})
    breaker.replica.renew_trials()
    assert client.zscore(key, call.token) > link.shared().load("long", Policy()).at + 10_000
    call.ok()
    assert breaker.state == "closed"
    assert not breaker.replica.trials


class Line:
    """A way to a store that can be cut between a question and its answer."""

    def __init__(self, store: Valkey) -> None:
        self._store = store
        self.cut = threading.Event()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(self._store.socket))
                for ends in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(65536):
                if back and self.cut.is_set():
                    self.cut.clear()
                    source.shutdown(socket.SHUT_RDWR)
                    target.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(data)


@pytest.fixture
def line(own_valkey: Valkey) -> Iterator[Line]:
    line = Line(own_valkey)
    yield line
    line.close()


def test_what_was_done_before_the_line_broke_is_not_done_again(line: Line) -> None:
    options = caches(line.url)["breaker"]["OPTIONS"]["CONNECTION_POOL_KWARGS"]
    client = redis.Redis.from_url(line.url, socket_timeout=5, **options)
    store = SharedStore(client, namespace="line")
    store.record("counted", Policy(), Tally(ok=1), epoch=0)
    line.cut.set()
    with pytest.raises(redis.ConnectionError):
        store.record("counted", Policy(), Tally(failed=1), epoch=0)
    assert store.load("counted", Policy()).tally == Tally(ok=1, failed=1)


def test_a_pool_without_room_is_no_store_out_of_reach(
    own_store: Valkey, settings: Settings
) -> None:
    alias = settings.CACHES["breaker"]
    alias["OPTIONS"]["CONNECTION_POOL_KWARGS"]["max_connections"] = 3
    settings.CACHES = {**settings.CACHES, "breaker": alias}
    agent.forget()
    breakers = [get_breaker(f"crowd-{number}", failure_threshold=1000) for number in range(30)]
    ready = threading.Barrier(len(breakers))

    def crowd(breaker: Breaker) -> None:
        ready.wait()
        for _ in range(5):
            with suppress(Down):
                breaker.call(fail)

    callers = [threading.Thread(target=crowd, args=(breaker,)) for breaker in breakers]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert link.up
    assert {view(breaker.name).tally.failed for breaker in breakers} == {5}


def test_callers_beyond_counting_get_no_more_trials_than_there_are_permits(
    own_store: Valkey,
) -> None:
    open_circuit("beyond", open_timeout=0.2)
    breaker, tried, refused = get_breaker("beyond"), [], []
    ready, over = threading.Barrier(150), threading.Event()

    def call() -> None:
        tried.append(1)
        over.wait(30)

    def caller() -> None:
        ready.wait()
        try:
            breaker.call(call)
        except CircuitOpenError:
            refused.append(1)

    time.sleep(0.25)
    callers = [threading.Thread(target=caller) for _ in range(150)]
    for thread in callers:
        thread.start()
    eventually(lambda: len(tried) + len(refused) == 150, seconds=30)
    over.set()
    for thread in callers:
        thread.join()
    assert len(tried) == 1


@pytest.mark.parametrize(("moved", "stale"), [(False, []), (True, ["lost"])])
def test_a_namespace_that_came_and_went_between_two_looks_has_lost_what_moved(
    moved: bool, stale: list[str]
) -> None:
    follower = Follower()
    assert list(follower.stale(["lost"], moved=False)) == []
    get_redis_connection("breaker").hset("cb:{breaker}:version", "born", "the second time")
    assert list(follower.stale(["lost"], moved=moved)) == stale
    follower.hang_up()


def test_a_loss_that_looks_like_no_loss_is_found_by_and_by(
    own_store: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover lost a change, and the new primary made another before anybody looked."""
    monkeypatch.setattr(breaker.agent, "SWEEP_EVERY", 2.0)
    open_circuit("swept")
    epoch = view("swept").epoch
    time.sleep(1.5)  # a poll: the opening is known
    assert get_redis_connection("breaker").delete("cb:{breaker}:circuit:swept") == 1
    eventually(lambda: shared_state("swept") is State.OPEN)
    assert view("swept").epoch == epoch
