import asyncio

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from locking import LockInAtomic, LockInvalid, lock, locked


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
