import os
import threading
import time

from health.engine.inbox import Inbox


def test_messages_come_in_their_order_and_once() -> None:
    inbox = Inbox[int]()
    for number in range(3):
        inbox.put(number)
    assert inbox.receive(timeout=0) == [0, 1, 2]
    assert inbox.receive(timeout=0) == []
    inbox.close()


def test_a_message_ends_the_wait_for_one() -> None:
    inbox = Inbox[str]()
    threading.Timer(0.05, inbox.put, ["news"]).start()
    began = time.monotonic()
    assert inbox.receive(timeout=600) == ["news"]
    assert time.monotonic() - began < 300
    inbox.close()


def test_so_does_a_file_that_can_be_read() -> None:
    inbox = Inbox[str]()
    reader, writer = os.pipe()
    os.write(writer, b"x")
    assert inbox.receive(timeout=600, beside=reader) == []
    for file in (reader, writer):
        os.close(file)
    inbox.close()


def test_it_takes_more_than_a_pipe_holds() -> None:
    inbox = Inbox[int]()
    for number in range(100_000):
        inbox.put(number)
    assert len(inbox.receive(timeout=0)) == 100_000
    inbox.close()


def test_what_comes_after_the_end_is_lost_and_hits_no_other_file() -> None:
    inbox = Inbox[str]()
    inbox.close()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    inbox.put("late")
    inbox.close()
    os.write(writer, b"x")
    assert os.read(reader, 10) == b"x"
    os.close(reader)
    os.close(writer)
