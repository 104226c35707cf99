"""A day of a service out of what changed: table by table, without a clock."""

from datetime import UTC, datetime, timedelta

import pytest

from health.operations.timeline import Change, Spell, end_of, spells, strips
from health.verdict import Status

END = datetime(2026, 11, 24, 12, tzinfo=UTC)
PASS, WARN, FAIL, UNKNOWN = Status.PASS, Status.WARN, Status.FAIL, Status.UNKNOWN


def change(hour: float, before: Status, after: Status, component: str = "default") -> Change:
    """``hour`` counts from the beginning of the day that is shown."""
    return Change("cache", component, before, after, END + timedelta(hours=hour - 24))


@pytest.mark.parametrize(
    ("changes", "shown", "expected"),
    [
        ([], {"default": PASS}, [(PASS, 0, 24)]),
        ([], {}, [(UNKNOWN, 0, 24)]),
        ([change(6, PASS, FAIL)], {"default": FAIL}, [(PASS, 0, 6), (FAIL, 6, 18)]),
        (
            [change(6, PASS, WARN), change(7, WARN, FAIL), change(9, FAIL, PASS)],
            {"default": PASS},
            [(PASS, 0, 6), (WARN, 6, 1), (FAIL, 7, 2), (PASS, 9, 15)],
        ),
        # The other component fails meanwhile, and is the worse one.
        (
            [change(2, PASS, WARN, "a"), change(4, PASS, FAIL, "b"), change(5, WARN, PASS, "a")],
            {"a": PASS, "b": FAIL},
            [(PASS, 0, 2), (WARN, 2, 2), (FAIL, 4, 20)],
        ),
        # One that is gone since counts while it was known.
        ([change(3, FAIL, PASS, "gone")], {"default": PASS}, [(FAIL, 0, 3), (PASS, 3, 21)]),
        ([change(0, PASS, FAIL)], {"default": FAIL}, [(FAIL, 0, 24)]),
        (
            [change(6, PASS, WARN), change(6, WARN, FAIL)],
            {"default": FAIL},
            [(PASS, 0, 6), (FAIL, 6, 18)],
        ),
        (
            [change(6, PASS, WARN), change(6, WARN, PASS)],
            {"default": PASS},
            [(PASS, 0, 24)],
        ),
    ],
    ids=[
        "quiet", "nothing-known", "once", "there-and-back", "two-components", "gone-component",
        "at-the-beginning", "two-at-once", "there-and-back-at-once",
    ],
)  # fmt: skip
def test_changes_become_stretches(
    changes: list[Change],
    shown: dict[str, Status],
    expected: list[tuple[Status, float, float]],
) -> None:
    (strip,) = strips(changes, {"cache": shown}, end=END)
    assert [(one.status, one.start / 60, one.length / 60) for one in strip.stretches] == expected
    assert strip.stretches[-1].ends == END


def test_each_service_has_a_strip_of_its_own_and_strangers_have_none() -> None:
    shown = {"cache": {"default": FAIL}, "disk": {"default": PASS}}
    stranger = Change("gone", "default", PASS, FAIL, END - timedelta(hours=1))
    cache, disk = strips([change(6, PASS, FAIL), stranger], shown, end=END)
    assert (cache.service, len(cache.stretches)) == ("cache", 2)
    assert (disk.service, len(disk.stretches)) == ("disk", 1)


@pytest.mark.parametrize(
    ("began", "ended", "expected"),
    [
        (6, 8, [(PASS, 0, 6), (FAIL, 6, 2), (PASS, 8, 16)]),
        (6, None, [(PASS, 0, 6), (FAIL, 6, 18)]),
        (-3, 2, [(FAIL, 0, 2), (PASS, 2, 22)]),
        (-3, None, [(FAIL, 0, 24)]),
        (6, 6, [(PASS, 0, 24)]),
    ],
)
def test_an_alert_is_there_while_it_fires(
    began: float, ended: float | None, expected: list[tuple[Status, float, float]]
) -> None:
    def at(hour: float) -> datetime:
        return END + timedelta(hours=hour - 24)

    spell = Spell("LockLost", FAIL, at(began), None if ended is None else at(ended))
    (strip,) = spells([spell], end=END)
    assert strip.service == "LockLost"
    assert [(one.status, one.start / 60, one.length / 60) for one in strip.stretches] == expected


@pytest.mark.parametrize(
    ("minute", "second", "end"),
    [(0, 0, 5), (0, 1, 5), (4, 59, 5), (5, 0, 10), (57, 30, 60)],
)
def test_the_day_ends_with_the_next_five_minutes(minute: int, second: int, end: int) -> None:
    hour = END.replace(hour=3)
    assert end_of(hour.replace(minute=minute, second=second)) == hour + timedelta(minutes=end)
