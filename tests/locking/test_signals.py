import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from locking import Lease, LockDeadlock, LockLost, control, lock, rw_lock, signals
from locking.locks import Lock


def test_a_receiver_hears_the_facts():
    facts = []

    def receive(**given):
        facts.append(given)

    signals.lock_lost.connect(receive)
    signals.tell(signals.lock_lost, Lock, lease="it")
    signals.lock_lost.disconnect(receive)
    signals.tell(signals.lock_lost, Lock, lease="nobody")
    assert [(fact["sender"], fact["lease"]) for fact in facts] == [(Lock, "it")]


def test_what_a_receiver_raises_is_logged_and_goes_no_further(caplog):
    def receive(**given):
        raise RuntimeError("observer broke")

    signals.lock_forced.connect(receive)
    with caplog.at_level(logging.ERROR):
        signals.tell(signals.lock_forced, Lock, name="a", fence=1, actor="b", reason="c")
    signals.lock_forced.disconnect(receive)
    assert "observer broke" in caplog.text


@pytest.fixture
def heard():
    facts = []

    def receive(*, signal, sender, **given):
        facts.append(given)

    for signal in (signals.lock_acquired, signals.lock_released):
        signal.connect(receive)
    yield facts
    for signal in (signals.lock_acquired, signals.lock_released):
        signal.disconnect(receive)


def test_acquiring_and_releasing_are_told_once_each(heard):
    with lock("render") as lease:
        assert heard == [{"lease": lease, "waited": 0.0}]
    lease.release()
    released = heard[1:]
    assert [fact["lease"] for fact in released] == [lease]
    assert 0 < released[0]["held_for"] < 5


async def hold() -> Lease:
    async with lock("render") as lease:
        return lease


def test_tasks_are_told_of_too(heard):
    lease = asyncio.run(hold())
    assert [fact["lease"] for fact in heard] == [lease, lease]


def test_a_lock_that_was_lost_is_not_told_as_released(heard, store):
    lease = lock("render").acquire()
    store.flushall()
    with pytest.raises(LockLost):
        lease.release()
    assert [list(fact) for fact in heard] == [["lease", "waited"]]


@pytest.mark.race
def test_who_waited_in_line_says_for_how_long(heard):
    first = lock("render").acquire()
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(lambda: lock("render").acquire())
        while not control.detail("render").waiting:
            time.sleep(0.005)
        time.sleep(0.05)
        first.release()
        second = waiter.result(timeout=30)
    waited = {fact["lease"]: fact["waited"] for fact in heard if "waited" in fact}
    assert waited[first] == 0.0
    assert waited[second] > 0.05


def test_a_reader_who_would_write_is_told_of_as_a_deadlock():
    heard = []

    def receive(*, name, cycle, **_):
        heard.append((name, cycle))

    signals.lock_deadlock.connect(receive)
    pages = rw_lock("pages")
    with pages.read, pytest.raises(LockDeadlock):
        pages.write.acquire()
    signals.lock_deadlock.disconnect(receive)
    assert heard == [("pages", ("pages",))]
