import asyncio
import gc
import os
import threading

import pytest

from locking import LockBusy, LockLost, LockRevoked, lock
from tests.locking.proxy import Fault

HOLDER = "lock:{n}:l"


def mine(**options):
    return lock("n", reentrant=True, wait=0, **options)


def in_another_thread(function):
    done = []
    thread = threading.Thread(target=lambda: done.append(function()))
    thread.start()
    thread.join()
    return done[0]


def test_whoever_has_a_reentrant_lock_may_enter_it_again(store):
    with mine() as outer:
        with mine() as inner, mine() as innermost:
            assert inner is innermost is outer
        assert store.exists(HOLDER)
        outer.check()
    assert not store.exists(HOLDER)


def test_a_task_may_enter_its_reentrant_lock_again(store):
    async def main():
        async with mine() as outer:
            async with mine() as inner:
                assert inner is outer
            assert store.exists(HOLDER)
        assert not store.exists(HOLDER)

    asyncio.run(main())


def test_entering_again_asks_the_store_nothing(proxy):
    with mine():
        before = len(proxy.calls)
        proxy.plan(*[Fault.BREAK] * 10)
        for _ in range(100):
            with mine():
                pass
        assert len(proxy.calls) == before
        proxy.faults.clear()


def test_each_acquisition_needs_its_release(store):
    lease = mine().acquire()
    assert mine().try_acquire() is lease
    lease.release()
    assert store.exists(HOLDER)
    lease.release()
    assert not store.exists(HOLDER)
    lease.release()


def test_a_lock_released_for_good_is_acquired_anew():
    with mine() as first:
        pass
    with mine() as second:
        assert second.fence > first.fence


def test_another_thread_does_not_enter():
    with mine():
        assert in_another_thread(mine().try_acquire) is None


def test_a_child_task_does_not_enter_its_parents_lock():
    async def main():
        async with mine():
            assert await asyncio.create_task(mine().atry_acquire()) is None
            with pytest.raises(LockBusy):
                await asyncio.gather(mine().aacquire())

    asyncio.run(main())


def test_tasks_that_lock_without_awaiting_are_told_apart_too():
    async def child():
        return mine().try_acquire()

    async def main():
        with mine() as lease:
            assert mine().try_acquire() is lease
            lease.release()
            assert await asyncio.create_task(child()) is None

    asyncio.run(main())


def test_a_task_does_not_enter_the_lock_of_the_thread_that_runs_it():
    with mine():
        assert asyncio.run(mine().atry_acquire()) is None


def test_a_lock_that_is_not_reentrant_is_not_entered_again():
    with lock("n"):
        assert mine().try_acquire() is None
    with mine():
        assert lock("n").try_acquire() is None


def test_locks_of_other_names_are_not_taken_for_entered():
    with mine() as lease, lock("m", reentrant=True) as other:
        assert other is not lease


def test_a_lost_lock_is_not_entered_again(store):
    with pytest.raises(LockRevoked), mine() as lease:
        store.delete(HOLDER)
        with pytest.raises(LockRevoked):
            lease.extend()
        with pytest.raises(LockRevoked):
            mine().acquire()
    with mine() as anew:
        assert anew.fence > lease.fence


def test_the_innermost_block_already_tells_of_a_loss(store):
    left = []
    with pytest.raises(LockRevoked), mine() as lease:
        with pytest.raises(LockRevoked), mine():
            store.delete(HOLDER)
            with pytest.raises(LockRevoked):
                lease.extend()
        left.append("inner")
    assert left == ["inner"]
    assert mine().try_acquire()


def test_whoever_adopts_a_reentrant_lock_may_enter_it_and_nobody_else():
    lease = mine().acquire()

    def adopt():
        lease.adopt()
        return mine().try_acquire()

    assert in_another_thread(adopt) is lease
    assert mine().try_acquire() is None


def test_a_dropped_handle_is_no_way_back_in():
    mine().acquire()
    gc.collect()
    assert mine().try_acquire() is None


def test_a_child_process_does_not_enter_its_parents_lock():
    with mine() as lease:
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            try:
                os.write(write, repr(mine().try_acquire()).encode())
            finally:
                os._exit(0)
        os.close(write)
        os.waitpid(child, 0)
        assert os.read(read, 100) == b"None"
        os.close(read)
        lease.extend()


def test_threads_that_each_enter_twice_keep_each_other_out():
    shared, inside, worst = lock("n", reentrant=True, wait=30), [], []

    def work():
        for _ in range(10):
            with shared, shared:
                inside.append(1)
                worst.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(worst), len(worst)) == (1, 40)


def test_a_lease_released_by_another_thread_cannot_be_entered_again():
    lease = mine().acquire()
    in_another_thread(lease.release)
    assert mine().acquire() is not lease
    with pytest.raises(LockLost):
        lease.check()
