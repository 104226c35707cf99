"""What is granted after the store lost its data."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis
from django.core.checks import run_checks
from django.test import override_settings

from config.redis import caches
from locking import Lease, LockQuarantined, LockUnavailable, lock, quarantine, rw_lock
from locking.models import StoreEpoch
from tests.locking.conftest import Use
from tests.product import until

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 2


@pytest.fixture(autouse=True)
def careful() -> Iterator[None]:
    with override_settings(LOCKING={"CACHE": "locks", "QUARANTINE": SECONDS}):
        yield


def acquire(colour: str):
    return lock("n").acquire() if colour == "sync" else asyncio.run(lock("n").aacquire())


both = pytest.mark.parametrize("colour", ["sync", "async"])


@both
def test_the_first_start_grants_at_once(store: redis.Redis, colour):
    acquire(colour)
    assert store.hget("lock:epoch", "word").decode() == StoreEpoch.objects.get().word
    quarantine._words.clear()
    lock("other").acquire()


@both
@pytest.mark.race
def test_after_a_loss_nothing_is_granted_until_old_leases_have_ended(store, colour, caplog):
    before = acquire(colour)
    store.flushdb()
    begun = time.monotonic()
    for _ in range(3):
        with pytest.raises(LockQuarantined) as caught:
            acquire(colour)
    assert 0 < caught.value.retry_after <= SECONDS
    assert isinstance(caught.value, LockUnavailable)
    assert [record.levelname for record in caplog.records if "lost its data" in record.message] == [
        "ERROR"
    ]
    granted: list[Lease] = []

    def is_over() -> bool:
        with suppress(LockQuarantined):
            granted.append(acquire(colour))
        return bool(granted)

    until(is_over)
    assert time.monotonic() >= begun + SECONDS
    assert granted[0].fence > before.fence
    assert not store.hexists("lock:epoch", "due")


def test_shares_of_a_name_are_not_granted_either(store):
    rw_lock("n").read.acquire().release()
    store.flushdb()
    with pytest.raises(LockQuarantined):
        rw_lock("n").read.acquire()


def test_the_data_of_another_store_is_a_loss_too(store):
    lock("n").acquire()
    store.hset("lock:epoch", "word", "another")
    with pytest.raises(LockQuarantined):
        lock("other").acquire()
    assert store.hget("lock:epoch", "word").decode() == StoreEpoch.objects.get().word


def test_an_empty_restart_is_a_loss_and_a_restart_with_data_is_none(own_valkey, use: Use):
    own_valkey.arguments = ("--appendonly", "yes", "--appendfsync", "always")
    own_valkey.restart()
    use(own_valkey.url)
    lock("n").acquire()
    own_valkey.restart()
    lock("other").acquire()
    for path in (own_valkey.directory / "appendonlydir").iterdir():
        path.unlink()
    own_valkey.restart()
    with pytest.raises(LockQuarantined):
        lock("other").acquire()


def test_processes_that_start_together_agree_on_one_word(process_env, store):
    script = (
        "import django; django.setup()\n"
        "from django.conf import settings\n"
        "settings.LOCKING = {'CACHE': 'locks', 'QUARANTINE': 60}\n"
        "from locking import lock\n"
        "lock('n').acquire().release()\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", script], env=process_env) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    assert StoreEpoch.objects.get().word == store.hget("lock:epoch", "word").decode()


def test_a_database_that_does_not_answer_makes_locks_unavailable():
    from django.db import connection

    table = StoreEpoch._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        try:
            with pytest.raises(LockUnavailable):
                lock("n").acquire()
        finally:
            cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")


def test_quarantine_is_not_for_clusters():
    with override_settings(CACHES=caches("redis+cluster://127.0.0.1:1")):
        assert [message.id for message in run_checks() if message.id == "locking.E004"]


def test_a_quarantine_that_is_no_time_is_named():
    with override_settings(LOCKING={"CACHE": "locks", "QUARANTINE": -1}):
        assert any("QUARANTINE" in message.msg for message in run_checks())
