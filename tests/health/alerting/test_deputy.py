import threading

import pytest

from health.alerting.deputy import Deputy, Unanswered


def test_an_answer_and_an_error_come_through() -> None:
    deputy = Deputy("deputy-plain")
    assert [deputy.attempt(lambda: 7, timeout=30) for _ in range(50)] == [7] * 50
    with pytest.raises(ZeroDivisionError):
        deputy.attempt(lambda: 1 // 0, timeout=30)


def test_what_hangs_is_left_behind_with_one_thread() -> None:
    deputy, release = Deputy("deputy-stuck"), threading.Event()

    def threads() -> int:
        return sum(one.name == "deputy-stuck" for one in threading.enumerate())

    for _ in range(5):
        with pytest.raises(Unanswered):
            deputy.attempt(release.wait, timeout=0.01)
    assert threads() == 1
    release.set()
    while True:
        try:
            assert deputy.attempt(lambda: "again", timeout=30) == "again"
        except Unanswered:
            continue
        break
