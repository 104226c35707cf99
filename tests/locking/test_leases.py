import asyncio
import logging
import os
import threading
import time
from datetime import timedelta

import pytest

from locking import LockExpired, LockLost, LockRevoked, LockUnavailable, lock
from tests.locking.conftest import Use

HOLDER = "lock:{n}:l"


def test_a_lease_can_be_trusted_for_a_little_less_than_it_lasts():
    lease = lock("n", lease=10).acquire()
    assert 9 < lease.remaining < 9.9
    assert lease.valid
    assert not lease.lost
    lease.check()


def test_extending_gives_more_time():
    lease = lock("n", lease=10).acquire()
    lease.extend(timedelta(minutes=1))
    assert 55 < lease.remaining < 60
    lease.extend()
    assert lease.remaining > 55


def test_extending_in_a_task_gives_more_time():
    async def main():
        lease = await lock("n", lease=10).aacquire()
        await lease.aextend(60)
        assert 55 < lease.remaining < 60
        await lease.arelease()

    asyncio.run(main())


def test_releasing_frees_the_lock_and_ends_the_lease():
    lease = lock("n").acquire()
    lease.release()
    assert lock("n").try_acquire()
    assert (lease.valid, lease.lost, lease.remaining) == (False, False, 0.0)
    with pytest.raises(LockLost):
        lease.check()
    with pytest.raises(LockLost):
        lease.extend()


def test_releasing_twice_is_no_error_and_frees_nobody_elses_lock():
    lease = lock("n").acquire()
    lease.release()
    other = lock("n").acquire()
    lease.release()
    other.check()
    assert lock("n").try_acquire() is None


def test_of_many_threads_that_release_none_fails():
    lease = lock("n").acquire()
    failures = []

    def release():
        try:
            lease.release()
        except LockLost as error:
            failures.append(error)

    threads = [threading.Thread(target=release) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert lock("n").try_acquire()


@pytest.mark.race
def test_a_lease_that_ran_out_says_so(store):
    lease = lock("n", lease=0.05, renew=False).acquire()
    time.sleep(0.06)
    assert (lease.valid, lease.lost) == (False, True)
    for verb in (lease.check, lease.extend, lease.release, lease.release):
        with pytest.raises(LockExpired, match="ran out") as caught:
            verb()
        assert caught.value.fence == lease.fence


@pytest.mark.race
def test_a_stale_holder_frees_nobody_elses_lock():
    stale = lock("n", lease=0.05, renew=False).acquire()
    lease = lock("n").acquire()
    with pytest.raises(LockExpired):
        stale.release()
    lease.extend()
    assert lease.fence > stale.fence


@pytest.mark.parametrize("verb", ["extend", "release"])
def test_a_lease_taken_away_before_its_time_says_so(store, verb):
    lease = lock("n").acquire()
    store.delete(HOLDER)
    with pytest.raises(LockRevoked, match="taken away"):
        getattr(lease, verb)()
    assert lease.lost
    with pytest.raises(LockRevoked):
        lease.check()
    assert not store.exists(HOLDER)


def test_a_block_that_ends_well_without_its_lock_fails(store):
    with pytest.raises(LockRevoked), lock("n"):
        store.delete(HOLDER)


def test_a_block_that_ends_well_without_its_lock_fails_in_a_task(store):
    async def main():
        with pytest.raises(LockRevoked):
            async with lock("n"):
                store.delete(HOLDER)

    asyncio.run(main())


def test_a_block_that_noticed_the_loss_and_went_on_fails_all_the_same(store):
    with pytest.raises(LockRevoked), lock("n") as lease:
        store.delete(HOLDER)
        with pytest.raises(LockRevoked):
            lease.extend()


def test_the_error_of_a_block_outranks_the_loss_of_its_lock(store, caplog):
    with pytest.raises(KeyError), lock("n"):
        store.delete(HOLDER)
        raise KeyError
    assert "LockRevoked" in caplog.text


def test_the_error_of_a_block_outranks_the_loss_of_its_lock_in_a_task(store):
    async def main():
        async with lock("n"):
            store.delete(HOLDER)
            raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(main())


def test_a_lock_released_within_its_block_is_left_alone_at_its_end():
    with lock("n") as lease:
        lease.release()
        other = lock("n").acquire()
    other.check()


def test_a_lease_is_a_block_too():
    with lock("n").try_acquire() as lease:
        lease.check()
    assert not lease.valid


def test_work_done_under_a_valid_lease_stands_when_the_store_dies_after(
    own_valkey, use: Use, caplog
):
    use(own_valkey.url)
    with lock("n"):
        own_valkey.stop()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.race
def test_work_done_under_a_lease_that_ran_out_fails_when_the_store_is_down(own_valkey, use: Use):
    use(own_valkey.url)
    with pytest.raises(LockExpired), lock("n", lease=0.05, renew=False):
        own_valkey.stop()
        time.sleep(0.06)


def test_a_release_that_the_store_did_not_answer_may_be_tried_again(own_valkey, use: Use):
    use(own_valkey.url)
    lease = lock("n").acquire()
    own_valkey.stop()
    with pytest.raises(LockUnavailable):
        lease.release()
    assert lease.valid
    own_valkey.restart()
    # The restarted server knows nothing: the lock is as free as a release could make it.
    lease.release()
    assert not lease.valid


def test_a_child_process_can_neither_use_nor_free_its_parents_lease():
    lease = lock("n").acquire()
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        try:
            answers = [lease.valid, lease.lost, lock("n").try_acquire()]
            for verb in (lease.check, lease.extend, lease.release):
                try:
                    verb()
                    answers.append("done")
                except LockLost as error:
                    answers.append(type(error).__name__)
            os.write(write, repr(answers).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1000).decode() == str(
        [False, True, None, "LockLost", "LockLost", "LockLost"]
    )
    os.close(read)
    os.close(write)
    lease.extend()
    lease.release()


def test_a_lease_shows_its_state():
    lease = lock("n").acquire()
    assert repr(lease) == f"<Lease 'n' fence={lease.fence} held>"
    lease.release()
    assert repr(lease).endswith("released>")
