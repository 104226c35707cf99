"""The promise under attack: many at once, workers that die, workers that wake up late."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import connection
from pytest_django.fixtures import Settings

from breaker.contrib.google import generations, work
from breaker.contrib.google.conf import Service
from breaker.contrib.google.models import Generation, GenerationResult
from breaker.contrib.google.orders import Order
from breaker.contrib.google.results import Image
from locking import LockUnavailable, StaleFence, lock
from tests.servers import Valkey

from .conftest import Remote

pytestmark = pytest.mark.django_db(transaction=True)

ORDER = Order(service=Service.IMAGEN, prompt="a lighthouse")


@contextmanager
def poster(
    env: dict[str, str], remote: Remote, user: User, *, threads: int, seconds: float
) -> Iterator[subprocess.Popen[str]]:
    """A worker process that will post with the key "k" when told to go."""
    command = [sys.executable, "-m", "tests.google.poster"]
    with subprocess.Popen(
        [*command, user.username, "k", str(threads), str(seconds)],
        env={**env, "SIMULATOR_PORT": str(remote.port)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin and process.stdout
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()


def codes(process: subprocess.Popen[str]) -> list[int]:
    output, _ = process.communicate(timeout=30)
    found: list[int] = json.loads(output)
    return found


@pytest.mark.race
def test_twenty_threads_with_one_key_pay_once(remote: Remote, user: User) -> None:
    remote.fault("imagen", latency=0.3)

    def order(_: int) -> bool:
        try:
            return generations.order(user.pk, "k", ORDER).replayed
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        replayed = list(pool.map(order, range(20)))
    assert replayed.count(False) == 1
    assert remote.counts["imagen"] == 1
    assert generations.order(user.pk, "k", ORDER).generation.results.count() == 1


@pytest.mark.race
def test_two_processes_with_one_key_pay_once(
    process_env: dict[str, str], remote: Remote, user: User
) -> None:
    remote.fault("imagen", latency=0.3)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(poster(process_env, remote, user, threads=10, seconds=5))
            for _ in range(2)
        ]
        for worker in workers:
            go(worker)
        found = [code for worker in workers for code in codes(worker)]
    assert found.count(201) == 1
    assert set(found) <= {200, 201, 202}
    assert remote.counts["imagen"] == 1
    assert Generation.objects.get().status == "succeeded"


@pytest.mark.race
def test_a_killed_worker_is_succeeded_under_a_higher_fence_and_cannot_write(
    process_env: dict[str, str], remote: Remote, user: User
) -> None:
    remote.fault("imagen", hang=True, times=1)
    with poster(process_env, remote, user, threads=1, seconds=2) as worker:
        go(worker)
        wait_for(lambda: remote.counts["imagen"] == 1)
        worker.kill()
        worker.wait()
    dead = Generation.objects.get()
    assert dead.status == "running"
    held = generations.order(user.pk, "k", ORDER)
    assert (held.replayed, held.generation.status) == (True, "running")
    wait_for(lambda: not generations.order(user.pk, "k", ORDER).replayed)
    heir = Generation.objects.get()
    assert heir.status == "succeeded"
    assert heir.fence > dead.fence
    assert remote.counts["imagen"] == 2
    with lock("another") as lease:
        lease.fence = dead.fence
        with pytest.raises(StaleFence):
            dead.save_fenced(lease)
    assert Generation.objects.get().status == "succeeded"


def wait_for(condition, seconds: float = 10) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.race
def test_a_worker_that_slept_through_its_lease_leaves_no_trace(
    remote: Remote, user: User, settings: Settings
) -> None:
    generation = generations.order(user.pk, "k", ORDER).generation
    sleeper = Generation.objects.get()
    with lock("elsewhere") as stale:
        stale.fence = generation.fence - 1
        with pytest.raises(StaleFence):
            work._write(sleeper, stale, [Image("image/png", b"stale")])
    (result,) = GenerationResult.objects.all()
    with result.file.open() as file:
        assert file.read() != b"stale"
    assert default_storage.listdir(f"generations/{generation.pk}") == (
        [],
        [f"{generation.fence}-0.png"],
    )


def test_without_the_store_of_locks_nothing_is_ordered(
    remote: Remote, user: User, settings: Settings, own_valkey: Valkey
) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "locks": {**settings.CACHES["locks"], "LOCATION": own_valkey.url},
    }
    own_valkey.stop()
    with pytest.raises(LockUnavailable):
        generations.order(user.pk, "k", ORDER)
    assert remote.counts["imagen"] == 0


def test_a_store_that_forgot_its_fences_does_not_lock_a_generation_out(
    remote: Remote, user: User
) -> None:
    remote.fault("imagen", status=500, times=1)
    with pytest.raises(Exception, match="500"):
        generations.order(user.pk, "k", ORDER)
    ahead = 2**52
    Generation.objects.update(fence=ahead)
    assert generations.order(user.pk, "k", ORDER).generation.fence > ahead
