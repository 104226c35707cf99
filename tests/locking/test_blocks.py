import asyncio
import gc
import threading
from contextlib import AsyncExitStack, ExitStack

import pytest

from locking import LockBusy, LockRevoked, lock
from locking.renewal import watchdog

HOLDER = "lock:{n}:l"


def in_another_thread(function):
    done = []
    thread = threading.Thread(target=lambda: done.append(function()))
    thread.start()
    thread.join()
    return done[0]


def test_a_generator_closed_in_a_thread_with_a_block_of_its_own_leaves_its_own_lease(store):
    shared, leases = lock("n"), []

    def working():
        with shared as lease:
            leases.append(lease)
            yield

    generator = working()
    in_another_thread(lambda: next(generator))
    store.delete(HOLDER)
    with shared as mine:
        generator.close()
        assert mine.valid
    assert leases[0].lost


def test_stacks_closed_in_another_thread_leave_each_its_own_lease(store):
    shared, first, second = lock("n"), ExitStack(), ExitStack()
    in_another_thread(lambda: first.enter_context(shared))
    store.delete(HOLDER)
    lease = in_another_thread(lambda: second.enter_context(shared))
    second.close()
    assert not lease.lost
    assert lock("n").try_acquire()
    with pytest.raises(LockRevoked):
        first.close()


def test_stacks_closed_in_another_task_leave_each_its_own_lease(store):
    async def main():
        shared, first, second = lock("n"), AsyncExitStack(), AsyncExitStack()
        await asyncio.create_task(first.enter_async_context(shared))
        store.delete(HOLDER)
        lease = await asyncio.create_task(second.enter_async_context(shared))
        await asyncio.create_task(second.aclose())
        assert not lease.lost
        with pytest.raises(LockRevoked):
            await asyncio.create_task(first.aclose())

    asyncio.run(main())


def test_a_block_that_could_not_be_entered_leaves_nothing_behind():
    shared = lock("n", wait=0)
    holder = lock("n").acquire()
    with pytest.raises(LockBusy), shared:
        pass
    holder.release()
    with shared as lease:
        assert lock("n").try_acquire() is None
    assert not lease.lost
    assert lock("n").try_acquire()


def test_blocks_entered_by_plain_calls_are_left_by_whoever_entered_them(store):
    shared = lock("n")
    lost = in_another_thread(shared.__enter__)
    store.delete(HOLDER)
    lease = shared.__enter__()
    shared.__exit__(None, None, None)
    assert not lease.lost
    with pytest.raises(LockRevoked):
        shared.__exit__(None, None, None)
    assert lost.lost


def test_a_lock_may_be_entered_within_its_own_lost_block(store):
    shared = lock("n")
    with pytest.raises(LockRevoked), shared:
        store.delete(HOLDER)
        with shared as lease:
            lease.check()
        assert not lease.lost


def test_a_lease_entered_by_a_plain_call_ends_with_the_lock_it_was_entered_by(store):
    lock("n", lease=1).__enter__()
    gc.collect()
    assert not [lease for lease in watchdog._alive() if lease.lock.name == "n"]


def test_locks_of_one_name_do_not_leave_each_others_blocks(store):
    mine = lock("n")
    lease = mine.__enter__()
    with pytest.raises(RuntimeError, match="without having been entered"):
        lock("n").__exit__(None, None, None)
    assert lease.valid
    mine.__exit__(None, None, None)
    assert not lease.valid
