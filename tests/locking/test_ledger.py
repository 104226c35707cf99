"""Grants and releases counted beside the locks, and not on their way."""

import threading

import pytest

from locking.ledger import Entry, Ledger
from tests.locking.workers import Worker
from tests.product import until


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_nothing_is_noted_before_somebody_keeps_a_book(ledger: Ledger) -> None:
    ledger.granted("n", 0.0)
    posted: list[Entry] = []
    ledger.book = posted.append
    ledger.post()
    assert posted == []


def test_the_first_entry_starts_a_thread_that_posts_them_in_order(ledger: Ledger) -> None:
    posted: list[Entry] = []
    ledger.book = posted.append
    ledger.granted("n", 0.5)
    ledger.released("n", 2.0)
    until(lambda: len(posted) == 2)
    assert posted == [Entry("n", 0.5, None), Entry("n", 0.0, 2.0)]


def test_an_error_of_the_book_costs_one_entry_and_is_logged(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    posted: list[Entry] = []

    def book(entry: Entry) -> None:
        if entry.label == "bad":
            raise ValueError("no such label")
        posted.append(entry)

    ledger.book = book
    ledger.granted("bad", 0.0)
    ledger.granted("good", 0.0)
    until(lambda: bool(posted))
    assert [entry.label for entry in posted] == ["good"]
    assert "no such label" in caplog.text


def test_each_entry_is_posted_once_however_many_post(ledger: Ledger) -> None:
    posted: list[Entry] = []
    ledger.book = posted.append
    for number in range(5_000):
        ledger.granted(str(number), 0.0)
    threads = [threading.Thread(target=ledger.post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(entry.label) for entry in posted) == list(range(5_000))


def test_a_child_posts_its_own_entries_and_none_of_its_parents() -> None:
    with Worker("""
from locking.ledger import ledger
posted = []
ledger.book = lambda entry: posted.append(entry.label)
lock("parent").acquire().release()
if os.fork() == 0:
    lock("child").acquire().release()
    while len(posted) < 2:
        time.sleep(0.01)
    tell("child", *posted)
    os._exit(0)
os.wait()
""") as worker:
        assert worker.hear() == ["child", "child", "child"]
