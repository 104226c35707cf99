from collections.abc import Iterable
from functools import reduce

import pytest

from health.engine.hysteresis import (
    DAY_SECONDS,
    FLAPPING_SECONDS,
    MOST_CHANGES,
    STEADY_CHANGES,
    Trail,
    observe,
)
from health.verdict import Reason, Status

WORDS = {".": Status.PASS, "w": Status.WARN, "x": Status.FAIL, "?": Status.UNKNOWN}
REASONS = {"x": Reason.REFUSED, "w": Reason.OPEN, "?": Reason.NOT_CONFIGURED}


def after(results: str) -> Trail:
    """Of results that came an hour apart."""
    return timed(zip(results, range(0, 10**9, 3600), strict=False))


def timed(results: Iterable[tuple[str, float]]) -> Trail:
    def step(trail: Trail, result: tuple[str, float]) -> Trail:
        word, now = result
        return observe(trail, WORDS[word], REASONS.get(word), now=now)

    return reduce(step, results, Trail())


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


# Three times down and back: an outage, which warns before it fails, is no more than a blip.
THRICE = ".x..xx..w.."
OFTEN = f"{THRICE}x"


@pytest.mark.parametrize(
    ("results", "step", "shown"),
    [
        pytest.param(THRICE, 10, ".", id="three times in half an hour is no flapping"),
        pytest.param(f"{OFTEN}..", 10, "w", id="a fourth one is"),
        pytest.param(f"{OFTEN}..", 200, ".", id="in an hour it is not"),
        pytest.param(f"{OFTEN}..{'.' * 160}", 10, "w", id="it warns while that is recent"),
        pytest.param(f"{OFTEN}..{'.' * 200}", 10, ".", id="and passes when it has been quiet"),
        pytest.param(f"{OFTEN}x", 10, "x", id="a failure is shown as one"),
        pytest.param(f"{OFTEN}x..", 10, "w", id="after which it flaps on"),
        pytest.param("?.?.?.?.?.?.?.?.?.", 10, ".", id="to become known is no change"),
    ],
)
def test_what_changes_too_often_warns(results: str, step: int, shown: str) -> None:
    trail = timed(zip(results, range(0, 10**6, step), strict=False))
    assert trail.shown is WORDS[shown]


def test_what_gets_worse_has_changed_before() -> None:
    """And what gets better has not come back yet."""
    trail = timed(zip(".xx..xxww..", range(0, 110, 10), strict=True))
    assert trail.changes == (10.0, 40.0, 50.0, 80.0, 100.0)


def test_flapping_ends_when_few_of_the_changes_are_recent() -> None:
    blips = list(zip(f"{OFTEN}..", range(0, 140, 10), strict=True))
    trail = timed(blips)
    assert (trail.flapping, len(trail.changes)) == (True, STEADY_CHANGES + 2)
    assert trail.reason is Reason.REFUSED
    second = trail.changes[1]
    assert timed([*blips, (".", second + FLAPPING_SECONDS - 1)]).flapping
    assert not timed([*blips, (".", second + FLAPPING_SECONDS)]).flapping


def test_what_flaps_wants_no_quick_second_look() -> None:
    assert timed(zip(f"{OFTEN}..", range(0, 140, 10), strict=True)).settled


def test_changes_are_counted_for_a_day_and_to_a_limit() -> None:
    blips = [(word, float(now)) for now, word in enumerate(".x." * 200 + ".")]
    assert len(timed(blips).changes) == MOST_CHANGES
    assert timed([*blips, (".", 600 + DAY_SECONDS)]).changes == ()
