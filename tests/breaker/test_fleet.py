"""Several real processes on one circuit."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from select import select
from typing import Any

import pytest
import redis
from django.conf import settings
from django_redis import get_redis_connection

from breaker import CircuitOpenError, get_breaker
from breaker.agent import agent
from breaker.breaker import Breaker
from breaker.link import link
from breaker.policy import Policy
from breaker.trials import LEASE
from breaker.window import Tally
from config.children import end_with_parent
from tests.breaker.benches import age
from tests.servers import Valkey, valkey_url

pytestmark = pytest.mark.race
logger = logging.getLogger(__name__)


class Process:
    def __init__(self) -> None:
        asked, asks = os.pipe()
        hears, told = os.pipe()
        self.its_ends = asked, told
        self.questions, self.answers = os.fdopen(asks, "w"), os.fdopen(hears)

    def tell(self, action: str) -> None:
        self.questions.write(f"{action}\n")
        self.questions.flush()

    def answer(self) -> Any:
        ready, _, _ = select([self.answers], [], [], 60)
        assert ready, "no answer"
        return json.loads(self.answers.readline())

    def ask(self, action: str) -> Any:
        self.tell(action)
        return self.answer()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        self.kill()
        self.questions.close()
        self.answers.close()
        if self.pid == self.popen.pid:
            self.popen.wait()


def launch(processes: list[Process], url: str, options: dict[str, Any]) -> None:
    """The last one is the parent of the others."""
    pipes = [process.its_ends for process in processes]
    last = subprocess.Popen(
        [
            sys.executable, "-m", "tests.breaker.worker", json.dumps(options),
            *(f"{asked}:{told}" for asked, told in pipes),
        ],
        cwd=settings.BASE_DIR,
        env={**os.environ, "REDIS_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        preexec_fn=end_with_parent,
        pass_fds=[end for ends in pipes for end in ends],
    )  # fmt: skip
    for process in processes:
        for end in process.its_ends:
            os.close(end)
        process.popen, process.pid = last, process.answer()


Fleet = Callable[..., list[Process]]


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    begun: list[Process] = []

    def start(size: int, *, url: str | None = None, **options: Any) -> list[Process]:
        processes = [Process() for _ in range(size)]
        begun.extend(processes)
        launch(processes, url or valkey_url(), options)
        return processes

    yield start
    for process in begun:
        process.end()


def trip(processes: list[Process]) -> tuple[float, list[float]]:
    """Fail in turn until the last process trips; its time, and the delays of the others."""
    *others, last = processes
    for turn in range(5):
        for process in processes if turn < 4 else others:
            assert process.ask("fail")[0] == "failed"
    assert {process.ask("state") for process in processes} == {"closed"}
    for process in others:
        process.tell("opens")
    time.sleep(0.05)
    outcome, tripped_at = last.ask("fail")
    assert outcome == "failed"
    delays = [process.answer() - tripped_at for process in others]
    logger.info("others know after %s ms", [round(delay * 1000, 1) for delay in delays])
    return tripped_at, delays


def test_failures_add_up_over_processes_and_all_refuse_at_once(fleet: Fleet) -> None:
    processes = fleet(4, failure_threshold=20)
    _, delays = trip(processes)
    assert [process.ask("ok") for process in processes] == ["refused"] * 4
    assert sorted(delays)[0] < 0.25  # two milliseconds for all on an idle machine


def test_a_host_that_fails_alone_opens_nothing_where_two_must_agree(fleet: Fleet) -> None:
    options = {"failure_threshold": 3, "trip_quorum": 2}
    lonely = fleet(2, host="one", **options)
    for _ in range(4):
        assert [process.ask("fail")[0] for process in lonely] == ["failed"] * 2
    (other,) = fleet(1, host="two", **options)
    assert other.ask("ok") == "ok"
    other.ask("fail")
    assert other.ask("state") == "open"
    assert lonely[0].ask("opens")


def test_without_messages_the_version_tells_within_little_more_than_a_second(
    fleet: Fleet, own_valkey: Valkey
) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        client.execute_command("ACL", "SETUSER", "default", "resetchannels")
    processes = fleet(3, url=own_valkey.url, failure_threshold=15)
    _, delays = trip(processes)
    assert [process.ask("ok") for process in processes] == ["refused"] * 3
    assert max(delays) > 0.02
    assert min(delays) < 1.5


def test_a_crowd_gets_exactly_as_many_trials_as_there_are_permits(fleet: Fleet) -> None:
    processes = fleet(
        8, failure_threshold=1, open_timeout=0.5, half_open_permits=3, success_threshold=3
    )
    processes[0].ask("fail")
    time.sleep(0.55)
    for process in processes:
        process.tell("crowd")
    answers = [answer for process in processes for answer in process.answer()]
    assert answers.count("ok") == 3
    assert answers.count("refused") == 397
    assert {process.ask("ok") for process in processes} == {"ok"}


def test_a_killed_trial_returns_its_permit(fleet: Fleet) -> None:
    options = {"failure_threshold": 1, "open_timeout": 0.1}
    prober, other = fleet(2, **options)
    prober.ask("fail")
    time.sleep(0.15)
    prober.tell("hang")
    deadline = time.monotonic() + 30
    while other.ask("state") != "half_open":
        assert time.monotonic() < deadline
    prober.kill()
    assert other.ask("ok") == "refused"
    age(get_redis_connection("breaker"), "breaker", LEASE)
    time.sleep(0.3)
    assert other.ask("ok") == "ok"


def test_a_process_that_ends_leaves_its_counts(fleet: Fleet) -> None:
    (process,) = fleet(1)
    assert process.ask("ok") == "ok"
    process.questions.close()
    assert process.popen.wait(30) == 0
    assert link.shared().load("fleet", Policy()).tally == Tally(ok=1)


def test_a_process_that_is_asked_to_end_leaves_its_counts_too(fleet: Fleet) -> None:
    (process,) = fleet(1)
    assert process.ask("ok") == "ok"
    process.popen.terminate()
    assert process.popen.wait(30) == -signal.SIGTERM
    assert link.shared().load("fleet", Policy()).tally == Tally(ok=1)


def test_a_new_process_meets_the_circuit_as_it_is(fleet: Fleet) -> None:
    breaker = get_breaker("fleet", failure_threshold=1)
    breaker.allow().fail()
    (process,) = fleet(1)
    assert process.ask("ok") == "refused"


def test_a_forked_child_has_an_agent_and_counts_of_its_own() -> None:
    breaker = get_breaker("forked", failure_threshold=1)
    breaker.call(int)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            breaker.call(int)
            agent.flush()
            os.write(writer, b"ready")
            os.write(writer, b"refused" if refused_within(30, breaker) else b"never")
        finally:
            os._exit(0)
    assert os.read(reader, 5) == b"ready"
    breaker.allow().fail()
    assert os.read(reader, 100) == b"refused"
    os.waitpid(child, 0)
    assert link.shared().load("forked", Policy()).tally == Tally(ok=2, failed=1)


def refused_within(seconds: float, breaker: Breaker) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            breaker.allow().neutral()
        except CircuitOpenError:
            return True
        time.sleep(0.001)
    return False
