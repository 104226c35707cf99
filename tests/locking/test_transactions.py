import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction

from locking import LockInAtomic, LockInvalid, lock, locked, transactions


def test_a_lock_inside_a_transaction_is_refused_and_nothing_is_locked(transactional_db, store):
    with transaction.atomic(), pytest.raises(LockInAtomic, match="before the COMMIT") as refused:
        lock("n").acquire()
    assert (refused.value.name, refused.value.using) == ("n", "default")
    assert not store.keys()


def test_a_function_that_locks_itself_is_refused_inside_a_transaction_too(transactional_db):
    @locked("n")
    def work():
        pytest.fail("it ran")

    with transaction.atomic(), pytest.raises(LockInAtomic):
        work()


def test_whoever_releases_after_the_commit_may_lock_inside(transactional_db):
    with transaction.atomic():
        lease = lock("n", in_atomic=True).acquire()
    lease.release()


def test_a_test_that_wraps_itself_in_a_transaction_may_lock(db):
    with lock("n") as lease:
        assert lease.valid


def test_tasks_have_no_part_in_the_transactions_of_a_thread(transactional_db):
    async def work():
        async with lock("n") as lease:
            return lease.valid

    with transaction.atomic():
        assert asyncio.run(work())


def test_a_saved_row_is_a_name(user: User, store):
    with lock(user) as lease:
        assert lease.name == f"auth.user:{user.pk}"


def test_an_unsaved_row_is_none():
    with pytest.raises(LockInvalid, match="must be saved"):
        lock(User())


@pytest.fixture
def tenant(django_db_blocker, tmp_path) -> Iterator[str]:
    """A database that appears while the program runs."""
    lock("n").acquire().release()
    connections.databases["tenant"] = connections.databases["default"] | {
        "ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "tenant", "OPTIONS": {},
    }  # fmt: skip
    with django_db_blocker.unblock():
        yield "tenant"
        forget("tenant")
    del connections.databases["tenant"]


def forget(alias: str) -> None:
    connections[alias].close()
    del connections[alias]


def refused(alias: str) -> bool:
    with transaction.atomic(using=alias):
        try:
            lock("n").acquire().release()
        except LockInAtomic as error:
            return error.using == alias
    return False


def test_a_transaction_on_a_database_that_appeared_late_is_one(tenant):
    assert refused(tenant)
    lock("n").acquire().release()


def test_a_transaction_on_a_connection_made_anew_is_one(tenant):
    for renew in (connections[tenant].close, lambda: forget(tenant)):
        assert refused(tenant)
        renew()
        assert refused(tenant)
        lock("n").acquire().release()


def test_connections_that_ended_are_not_kept(tenant):
    for _ in range(20):
        assert refused(tenant)
        forget(tenant)
    assert refused(tenant)
    assert sum(one.alias == tenant for one in transactions._databases.known) == 1


def test_another_thread_has_no_part_in_a_transaction(transactional_db):
    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        pool.submit(lock("n").acquire).result().release()
