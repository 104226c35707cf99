from functools import reduce

import pytest

from health.hysteresis import Trail, observe
from health.verdict import Reason, Status

WORDS = {".": Status.PASS, "w": Status.WARN, "x": Status.FAIL, "?": Status.UNKNOWN}
REASONS = {"x": Reason.REFUSED, "w": Reason.OPEN, "?": Reason.NOT_CONFIGURED}


def after(results: str) -> Trail:
    return reduce(lambda trail, one: observe(trail, WORDS[one], REASONS.get(one)), results, Trail())


@pytest.mark.parametrize(
    ("results", "shown"),
    [
        pytest.param("", "?", id="never run"),
        pytest.param(".", ".", id="a first pass is believed"),
        pytest.param("x", "x", id="a first failure is believed"),
        pytest.param("w", "w", id="a first warning is believed"),
        pytest.param(".x", "w", id="one failure warns at once"),
        pytest.param(".xx", "x", id="two failures in a row fail"),
        pytest.param(".x.", "w", id="one pass is not yet a recovery"),
        pytest.param(".x..", ".", id="two passes in a row pass"),
        pytest.param(".x.x", "w", id="a pass between resets the failures"),
        pytest.param(".x.xx", "x", id="and they count anew"),
        pytest.param(".xx.", "x", id="failed stays failed at one pass"),
        pytest.param(".xx.x", "x", id="a failure between resets the passes"),
        pytest.param(".xx.x.", "x", id="and they count anew too"),
        pytest.param(".xx..", ".", id="failed passes at two passes"),
        pytest.param(".w", "w", id="a warning shows at once"),
        pytest.param(".w.", "w", id="and leaves after two passes"),
        pytest.param(".w..", ".", id="not before"),
        pytest.param(".xxw", "x", id="one warning does not end a failure"),
        pytest.param(".xxww", "w", id="two do"),
        pytest.param(".xxw.", "w", id="warning then pass is out of failure"),
        pytest.param(".xxw..", ".", id="and a second pass passes"),
        pytest.param(".wx", "w", id="a failure after a warning is the first"),
        pytest.param(".wxx", "x", id="the second one fails"),
        pytest.param(".?", "?", id="no longer configured"),
        pytest.param(".?x", "x", id="configured again is a new start"),
    ],
)
def test_what_is_shown_after(results: str, shown: str) -> None:
    assert after(results).shown is WORDS[shown]


def test_the_last_reason_stays_while_its_failure_is_shown() -> None:
    assert after(".xx.").reason is Reason.REFUSED
    assert after(".xx..").reason is None
    assert after(".xxw").reason is Reason.OPEN


def test_failures_in_a_row_are_counted() -> None:
    assert [after(results).failures for results in (".", ".x", ".xxx", ".xxx.")] == [0, 1, 3, 0]


@pytest.mark.parametrize(
    ("results", "settled"), [(".", True), (".x", False), (".xx", True), (".xx.", False)]
)
def test_a_result_that_contradicts_what_is_shown_wants_a_quick_second(
    results: str, settled: bool
) -> None:
    assert after(results).settled is settled
