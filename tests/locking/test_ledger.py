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
    ledger.book = posted.extend
    ledger.post()
    assert posted == []


def test_the_first_entry_starts_a_thread_that_posts_them_in_order(ledger: Ledger) -> None:
    posted: list[Entry] = []
    ledger.book = posted.extend
    ledger.granted("n", 0.5)
    ledger.released("n", 2.0)
    until(lambda: len(posted) == 2)
    assert posted == [("n", 0.5, None), ("n", 0.0, 2.0)]


def test_an_error_of_the_book_is_logged_and_the_next_entries_are_posted(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    posted: list[Entry] = []

    def book(entries: list[Entry]) -> None:
        if entries[0][0] == "bad":
            raise ValueError("no such label")
        posted.extend(entries)

    ledger.book = book
    ledger.granted("bad", 0.0)
    until(lambda: "no such label" in caplog.text)
    ledger.granted("good", 0.0)
    until(lambda: bool(posted))
    assert posted == [("good", 0.0, None)]


def test_each_entry_is_posted_once_however_many_post(ledger: Ledger) -> None:
    posted: list[Entry] = []
    ledger.book = posted.extend
    for number in range(5_000):
        ledger.granted(str(number), 0.0)
    threads = [threading.Thread(target=ledger.post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(label) for label, _, _ in posted) == list(range(5_000))


def test_a_child_posts_its_own_entries_and_none_of_its_parents() -> None:
    with Worker("""
from locking.ledger import ledger
posted = []
ledger.book = lambda entries: posted.extend(label for label, _, _ in entries)
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


def test_what_a_process_did_last_is_posted_when_it_ends() -> None:
    with Worker("""
from locking.ledger import ledger
ledger.book = lambda entries: tell(*(label for label, _, _ in entries))
lock("last").acquire().release()
""") as worker:
        assert worker.hear() == ["last", "last"]
