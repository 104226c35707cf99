import asyncio
import os
import threading

from locking import holding, lock


def names() -> list[str]:
    return [lease.lock.name for lease in holding.at_hand()]


def elsewhere(function) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_a_thread_has_at_hand_what_it_holds():
    with lock("a"), lock("b"):
        assert names() == ["a", "b"]
    assert names() == []


def test_each_thread_and_task_has_its_own():
    seen = []

    async def task(name: str):
        async with lock(name):
            await asyncio.sleep(0)
            seen.append(names())

    async def main():
        await asyncio.gather(task("b"), task("c"))

    with lock("a"):
        elsewhere(lambda: seen.append(names()))
        asyncio.run(main())
        assert names() == ["a"]
    assert sorted(seen) == [[], ["b"], ["c"]]


def test_a_lease_goes_to_the_thread_that_adopts_it():
    seen = []
    lease = lock("a").acquire()

    def adopt():
        lease.adopt()
        seen.append(names())

    elsewhere(adopt)
    assert (seen, names()) == ([["a"]], [])
    lease.release()


def test_a_lease_released_by_another_thread_is_in_nobodys_hands():
    lease = lock("a").acquire()
    elsewhere(lease.release)
    assert not holding.hands()


def test_a_lease_that_was_lost_or_dropped_is_in_nobodys_hands():
    lost = lock("a").acquire()
    lost.revoked()
    lock("b").acquire()
    assert names() == []
    assert not holding.hands()


def test_a_forked_child_begins_with_empty_hands():
    with lock("a"):
        child = os.fork()
        if not child:
            os._exit(len(holding.hands()))
        assert os.waitpid(child, 0)[1] == 0
