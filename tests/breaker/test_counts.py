import threading
import time

from breaker import get_breaker
from breaker.classify import Outcome
from breaker.counts import MANY, Counts
from breaker.link import link
from breaker.policy import Policy
from breaker.store import NO_REPORT, Report
from breaker.window import Tally


def succeed(counts: Counts) -> bool:
    """Count a success; whether that was a moment to tell the agent."""
    try:
        next(counts.ticks)
    except StopIteration:
        counts.refill()
        return True
    return False


def test_the_agent_is_told_at_the_first_success_and_at_the_thousandth() -> None:
    counts = Counts()
    told = [number for number in range(1, 2 * MANY) if succeed(counts)]
    assert told == [1, MANY, 2 * MANY - 1]
    assert counts.waiting == 2 * MANY - 1
    assert counts.take() == (Tally(ok=2 * MANY - 1), NO_REPORT)
    assert counts.waiting == 0
    assert succeed(counts)
    assert not succeed(counts)


def test_other_ends_are_counted_after_the_successes_before_them() -> None:
    counts = Counts()
    for _ in range(3):
        succeed(counts)
    counts.add(Outcome.FAILURE, Report(5, "down"))
    counts.add(Outcome.SLOW, NO_REPORT)
    assert counts.waiting == 5
    tally, report = counts.take()
    assert tally == Tally(ok=3, failed=1, slow=1)
    assert tally.streak == 1
    assert report == Report(5, "down")
    succeed(counts)
    assert counts.take() == (Tally(ok=1), NO_REPORT)


def test_threads_lose_no_success_and_count_none_twice() -> None:
    counts, taken = Counts(), Tally()
    done = threading.Event()

    def crowd() -> None:
        for _ in range(20_000):
            succeed(counts)

    def writer() -> None:
        nonlocal taken
        while not done.is_set():
            taken += counts.take()[0]

    crowds = [threading.Thread(target=crowd) for _ in range(4)]
    writing = threading.Thread(target=writer)
    for thread in (writing, *crowds):
        thread.start()
    for thread in crowds:
        thread.join()
    done.set()
    writing.join()
    assert taken + counts.take()[0] == Tally(ok=80_000)


def test_a_lonely_success_is_written_soon() -> None:
    """Without a word to the agent it would wait for the next poll, up to a second."""
    breaker = get_breaker("lonely")
    breaker.call(int)
    waits = []
    for number in range(2, 8):
        time.sleep(0.25)
        breaker.call(int)
        began = time.monotonic()
        while link.shared().load("lonely", Policy()).tally.ok < number:
            time.sleep(0.005)
        waits.append(time.monotonic() - began)
    assert sorted(waits)[3] < 0.3, waits


def test_a_thousand_successes_are_written_at_once() -> None:
    breaker = get_breaker("crowd")
    breaker.call(int)
    breaker.replica.flush()
    for _ in range(MANY + 1):
        breaker.call(int)
    began = time.monotonic()
    while link.shared().load("crowd", Policy()).tally.ok < MANY:
        assert time.monotonic() - began < 30
        time.sleep(0.001)
