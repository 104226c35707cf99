import pytest

from accounts import seldom
from accounts.seldom import Seldom


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_subject_is_spoken_of_once_in_a_pause() -> None:
    clock = Clock()
    noted = Seldom(60, clock=clock)
    assert [noted.due("a"), noted.due("a"), noted.due("b")] == [True, False, True]
    clock.now = 59.9
    assert not noted.due("a")
    clock.now = 60.0
    assert [noted.due("a"), noted.due("a")] == [True, False]


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seldom, "MOST", 2)
    noted = Seldom(60, clock=Clock())
    assert [noted.due(subject) for subject in "abc"] == [True] * 3
    assert [noted.due(subject) for subject in "ca"] == [False, True]
