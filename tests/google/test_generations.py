"""The promise under attack: many at once, workers that die, workers that wake up late."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from breaker.contrib.google import generations, work
from breaker.contrib.google.conf import Service, conf
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
    output, _ = process.communicate(timeout=60)
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
            stack.enter_context(poster(process_env, remote, user, threads=10, seconds=30))
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


def wait_for(condition, seconds: float = 30) -> None:  # type: ignore[no-untyped-def]
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


def test_a_film_that_lost_its_lock_before_it_was_sent_may_be_ordered_again(
    remote: Remote, user: User, settings: Settings, own_valkey: Valkey
) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "locks": {**settings.CACHES["locks"], "LOCATION": own_valkey.url},
    }
    generation = Generation.objects.create(
        user=user, idempotency_key="k", service="veo", model=conf().veo_models[0], prompt="waves"
    )
    lease = lock(f"generation:{generation.pk}").try_acquire()
    assert lease
    own_valkey.stop()
    with pytest.raises(LockUnavailable):
        work.perform(generation, lease)
    generation.refresh_from_db()
    assert (generation.status, generation.submitted_at) == ("queued", None)
    assert remote.counts["veo_submit"] == 0


class Inserts:
    """Lets the first statements that store results fail."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        if self.failures and sql.startswith('INSERT INTO "google_generationresult"'):
            raise self.failures.pop(0)
        return execute(sql, *rest)


def test_what_was_paid_for_is_written_when_the_database_comes_back(
    remote: Remote, user: User
) -> None:
    with connection.execute_wrapper(Inserts(OperationalError(), OperationalError())):
        generations.order(user.pk, "k", ORDER)
    assert Generation.objects.get().status == "succeeded"
    assert GenerationResult.objects.get().file.size
    assert remote.counts["imagen"] == 1


def test_an_outcome_that_cannot_be_written_leaves_no_files(remote: Remote, user: User) -> None:
    with (
        connection.execute_wrapper(Inserts(RuntimeError("x"))),
        pytest.raises(RuntimeError, match="x"),
    ):
        generations.order(user.pk, "k", ORDER)
    assert default_storage.listdir(f"generations/{Generation.objects.get().pk}") == ([], [])


def test_a_request_in_one_transaction_does_not_take_its_record_back(
    api: APIClient, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    remote.fault("veo_submit", status=500)
    body, headers = {"service": "veo", "prompt": "waves"}, {"Idempotency-Key": "k"}
    response = api.post("/api/v1/generations", body, format="json", headers=headers)
    assert response.status_code == 502
    assert Generation.objects.get().status == "submission_unknown"


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
    Generation._base_manager.update(fence=ahead)
    assert generations.order(user.pk, "k", ORDER).generation.fence > ahead
