"""How the end of a connection is found out."""

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from locking import hearing
from locking.hearing import Ear


class Connection:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.disconnect = sock.close


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ear, socket.socket]]:
    """An ear, and the other end of its line."""
    monkeypatch.setattr(hearing, "SILENCE", 0.05)
    near, far = socket.socketpair()
    far.settimeout(1)
    with near, far:
        yield Ear(Connection(near)), far


def test_what_comes_at_once_is_heard_at_once(ends):
    ear, far = ends
    far.sendall(b"*2\r\n$1\r\na\r\n$1\r\nb\r\n+c\r\n$1")
    assert ear.hear(1) == [[b"a", b"b"], b"c"]
    far.sendall(b"\r\nd\r\n")
    assert ear.hear(1) == [b"d"]


def test_whoever_hears_nothing_in_time_is_free_to_go(ends):
    ear, far = ends
    assert ear.hear(0.001) == []
    far.sendall(b"+a\r\n")
    assert ear.hear(0.001) == [b"a"]


def test_silence_is_questioned_whoever_hears_it_and_an_answer_is_enough(ends):
    ear, far = ends
    far.sendall(b"+a\r\n")
    ear.hear(1)
    for _ in range(2):
        assert ear.hear(0.03) == []
    assert far.recv(100) == b"*1\r\n$4\r\nPING\r\n"
    far.sendall(b"+PONG\r\n")
    assert ear.hear(1) == [b"PONG"]
    assert ear.hear(1) == []


def test_a_line_on_which_no_question_is_answered_is_dead(ends):
    ear, far = ends
    far.sendall(b"+a\r\n")
    ear.hear(1)
    assert ear.hear(1) == []
    with pytest.raises(ConnectionResetError):
        ear.hear(1)


def test_a_line_without_any_answer_is_dead(ends):
    ear, _ = ends
    with pytest.raises(ConnectionResetError):
        ear.hear(1)


def test_a_line_that_the_other_end_closed_is_dead(ends):
    ear, far = ends
    far.close()
    with pytest.raises(ConnectionResetError):
        ear.hear(1)


def test_whoever_hears_can_be_interrupted(ends):
    ear, _ = ends
    ear.interrupt()
    with pytest.raises(ConnectionResetError):
        ear.hear(1)
    ear.close()
    ear.interrupt()
    with pytest.raises(OSError, match="Bad file descriptor"):
        ear.say("PING")


class Shared(socket.socket):
    """As that of TLS, which only one thread at a time may use."""

    inside = clashed = False

    def recv(self, size: int) -> bytes:
        return self._alone(super().recv, size)

    def sendall(self, words: bytes) -> None:
        self._alone(super().sendall, words)

    def _alone(self, act, what):
        self.clashed = self.clashed or self.inside
        self.inside = True
        try:
            return act(what)
        finally:
            self.inside = False


def test_whoever_asks_does_not_disturb_who_hears():
    near, far = socket.socketpair()
    with Shared(fileno=near.detach()) as shared, far:
        ear = Ear(Connection(shared))
        heard: list[bytes] = []
        hearing = threading.Thread(target=lambda: heard.extend(ear.hear(5)))
        hearing.start()
        hearing.join(0.1)
        ear.say("PING")
        assert far.recv(100) == b"*1\r\n$4\r\nPING\r\n"
        far.sendall(b"+PONG\r\n")
        hearing.join()
        assert heard == [b"PONG"]
        assert not shared.clashed


def test_what_has_only_begun_to_come_is_not_waited_for_while_others_want_to_ask():
    """Over TLS, where what comes may be no words, or not enough of them."""
    near, far = socket.socketpair()

    class Slow(Shared):
        def recv(self, size: int) -> bytes:
            super().recv(size)
            raise ssl.SSLWantReadError

    with Slow(fileno=near.detach()) as slow, far:
        far.sendall(b"half")
        assert Ear(Connection(slow)).hear(1) == []
