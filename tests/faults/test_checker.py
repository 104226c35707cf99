"""The checker against histories written by hand: it must see each kind of wrong, and nothing else.

Times are in seconds. ``#`` numbers the operations of a process.
"""

import pytest

from tests.faults.checker import Moved, check
from tests.faults.history import parse
from tests.faults.journal import Record

SECOND = 1_000_000_000


def told(text: str) -> list[Record]:
    """``time process #operation kind values…``; a value that ends in ``s`` is a time too."""
    records = []
    for line in filter(None, map(str.strip, text.splitlines())):
        at, process, number, kind, *values = line.split()
        records.append(Record(process, ns(at), kind, int(number[1:]), tuple(map(value, values))))
    return sorted(records, key=lambda record: record.at)


def value(text: str) -> str:
    return str(ns(text[:-1])) if text.endswith("s") and text[:1].isdigit() else text


def ns(text: str) -> int:
    return round(float(text) * SECOND)


def rules(text: str, *trail: Moved) -> list[str]:
    return sorted({violation.rule for violation in check(parse(told(text)), trail)})


ONE_AFTER_ANOTHER = """
    1.0 p1 #1 ask n 5s 1s 1
    1.1 p1 #1 granted 10 2.0s
    1.2 p2 #1 ask n 5s 1s 1
    1.3 p2 #1 queued
    1.4 p1 #1 leave 2.0s
    1.5 p1 #1 left ok
    1.5 p2 #1 granted 11 2.5s
    1.6 p2 #1 leave 2.5s
    1.7 p2 #1 left ok
"""


def test_holders_one_after_another_are_no_violation():
    assert rules(ONE_AFTER_ANOTHER) == []


HISTORIES = {
    "two at once": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 p2 #1 ask n 0s 1s 1
            1.3 p2 #1 granted 11 2.2s
            1.4 p1 #1 leave 2.0s
            """,
        ["overlap"],
    ),
    "two threads of a process at once": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 p1 #2 ask n 0s 1s 1
            1.3 p1 #2 granted 11 2.2s
            """,
        ["overlap"],
    ),
    "the next only after the first has left": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 p1 #1 leave 2.0s
            1.25 p2 #1 ask n 0s 1s 1
            1.3 p2 #1 granted 11 2.2s
            """,
        [],
    ),
    "the next only after the deadline": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            2.1 p2 #1 ask n 0s 1s 1
            2.2 p2 #1 granted 11 3.0s
            3.0 p1 #1 leave 0
            """,
        [],
    ),
    "an extension counts": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.8 p1 #1 valid 2.7s
            2.1 p2 #1 ask n 0s 1s 1
            2.2 p2 #1 granted 11 3.0s
            """,
        ["overlap"],
    ),
    "the dead hold nothing": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 nemesis #1 begin kill p1
            1.3 nemesis #1 over kill p1
            1.4 p2 #1 ask n 0s 1s 1
            1.5 p2 #1 granted 11 2.4s
            """,
        [],
    ),
    "the dying may still hold": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 nemesis #1 begin kill p1
            1.25 p2 #1 ask n 0s 1s 1
            1.27 p2 #1 granted 11 2.4s
            1.3 nemesis #1 over kill p1
            """,
        ["overlap"],
    ),
    "other names do not matter": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 11 2.0s
            1.2 p2 #1 ask m 0s 1s 1
            1.3 p2 #1 granted 10 2.2s
            """,
        [],
    ),
    "a grant that had run out on arrival holds nothing": (
        """
            1.0 p1 #1 ask n 5s 1s 1
            2.1 p2 #1 ask n 5s 1s 1
            2.2 p2 #1 granted 11 3.0s
            2.5 p1 #1 granted 10 2.0s
            """,
        [],
    ),
    "grants in the wrong order of fences": (
        """
            1.0 p1 #1 ask n 5s 1s 1
            1.0 p2 #1 ask n 5s 1s 1
            1.1 p1 #1 granted 11 2.0s
            1.2 p1 #1 leave 2.0s
            1.3 p2 #1 granted 10 2.0s
            """,
        ["fence"],
    ),
    "a flush excuses the lease it forgot": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 nemesis #1 begin flush -
            1.3 nemesis #1 over flush -
            1.4 p2 #1 ask n 0s 1s 1
            1.5 p2 #1 granted 11 2.4s
            """,
        [],
    ),
    "so does a restart without data": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 nemesis #1 begin restart-empty -
            1.3 nemesis #1 over restart-empty -
            1.4 p2 #1 ask n 0s 1s 1
            1.5 p2 #1 granted 11 2.4s
            """,
        [],
    ),
    "but not a restart with data": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 nemesis #1 begin restart -
            1.3 nemesis #1 over restart -
            1.4 p2 #1 ask n 0s 1s 1
            1.5 p2 #1 granted 11 2.4s
            """,
        ["overlap"],
    ),
    "nor a flush before both": (
        """
            0.5 nemesis #1 begin flush -
            0.6 nemesis #1 over flush -
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.4 p2 #1 ask n 0s 1s 1
            1.5 p2 #1 granted 11 2.4s
            """,
        ["overlap"],
    ),
    "nor a flush after both": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.4 p2 #1 ask n 0s 1s 1
            1.5 p2 #1 granted 11 2.4s
            1.6 nemesis #1 begin flush -
            1.7 nemesis #1 over flush -
            """,
        ["overlap"],
    ),
    "a flush does not excuse a lease that goes on after it": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 nemesis #1 begin flush -
            1.3 nemesis #1 over flush -
            1.9 p1 #1 valid 2.8s
            """,
        ["outlived"],
    ),
    "two readers": (
        """
            1.0 p1 #1 ask n 0s 1s 1 1 1000
            1.1 p1 #1 granted 10 2.0s
            1.0 p2 #1 ask n 0s 1s 1 1 1000
            1.05 p2 #1 granted 11 2.2s
            """,
        [],
    ),
    "a reader and a writer": (
        """
            1.0 p1 #1 ask n 0s 1s 1 1 1000
            1.1 p1 #1 granted 10 2.0s
            1.2 p2 #1 ask n 0s 1s 1 1000 1000
            1.3 p2 #1 granted 11 2.2s
            """,
        ["overlap"],
    ),
    "three with two permits": (
        """
            1.0 p1 #1 ask n 0s 1s 1 1 2
            1.1 p1 #1 granted 10 2.0s
            1.0 p2 #1 ask n 0s 1s 1 1 2
            1.1 p2 #1 granted 11 2.2s
            1.2 p3 #1 ask n 0s 1s 1 1 2
            1.3 p3 #1 granted 12 2.2s
            """,
        ["overlap"],
    ),
    "two of three with two permits after a flush": (
        """
            1.0 p1 #1 ask n 0s 1s 1 1 2
            1.1 p1 #1 granted 10 2.0s
            1.12 nemesis #1 begin flush -
            1.14 nemesis #1 over flush -
            1.2 p2 #1 ask n 0s 1s 1 1 2
            1.3 p2 #1 granted 11 2.2s
            1.2 p3 #1 ask n 0s 1s 1 1 2
            1.3 p3 #1 granted 12 2.2s
            """,
        [],
    ),
    "a fence given twice": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 p1 #1 leave 2.0s
            1.3 p1 #1 left ok
            1.3 p2 #1 ask n 0s 1s 1
            1.4 p2 #1 granted 10 2.3s
            """,
        ["fence"],
    ),
    "a fence that falls over a flush": (
        """
            1.0 p1 #1 ask n 0s 1s 1
            1.1 p1 #1 granted 10 2.0s
            1.2 p1 #1 leave 2.0s
            1.2 nemesis #1 begin flush -
            1.3 nemesis #1 over flush -
            1.3 p2 #1 ask n 0s 1s 1
            1.4 p2 #1 granted 9 2.3s
            """,
        ["fence"],
    ),
    "an error that no caller should see": ("1.0 p1 #1 problem TypeError: oops", ["problem"]),
    "a process that could not go on": ("1.0 p1 #0 end slow", ["ending"]),
    "a process that ended well": ("1.0 p1 #0 end ok", []),
    "an answer long after the wait": (
        """
            1.0 p1 #1 ask n 0.5s 1s 1
            9.0 p1 #1 failed busy
            """,
        ["overtime"],
    ),
    "a stopped process may be late": (
        """
            1.0 p1 #1 ask n 0.5s 1s 1
            1.1 nemesis #1 begin stop p1
            8.9 nemesis #1 over stop p1
            9.0 p1 #1 failed busy
            """,
        [],
    ),
}


@pytest.mark.parametrize(("history", "found"), HISTORIES.values(), ids=HISTORIES)
def test_holds_and_fences(history, found):
    assert rules(history) == found


LINE = """
    10.0 p1 #1 ask n 5s 1s 1
    10.1 p1 #1 queued
    {} p2 #1 ask n 5s 1s {}
    10.3 p2 #1 granted 20 11.0s
    10.4 p2 #1 leave 11.0s
    10.5 p2 #1 left ok
    {}
"""
GRANTED = "10.6 p1 #1 granted 21 11.5s"
LEFT_OUT = "15.1 p1 #1 failed busy"


def fault(at: float, kind: str, target: str) -> str:
    return f"{at} nemesis #1 begin {kind} {target}\n{at + 0.1} nemesis #1 over {kind} {target}\n"


@pytest.mark.parametrize(
    ("history", "found"),
    [
        pytest.param(LINE.format(10.2, 1, GRANTED), ["order"], id="overtaken"),
        pytest.param(LINE.format(10.05, 1, GRANTED), [], id="asked before the other was in line"),
        pytest.param(LINE.format(10.2, 0, GRANTED), [], id="the other need not be fair"),
        pytest.param(LINE.format(10.2, 1, LEFT_OUT), ["order"], id="passed over and left out"),
        pytest.param(
            LINE.format(10.2, 1, "10.25 p1 #1 failed busy"), [], id="gone before its time"
        ),
        pytest.param(
            fault(10.2, "stop", "p1") + LINE.format(10.2, 1, GRANTED), [], id="was stopped"
        ),
        pytest.param(
            fault(10.2, "drop", "p1") + LINE.format(10.2, 1, LEFT_OUT), [], id="had a bad line"
        ),
        pytest.param(
            fault(9.0, "flush", "-") + LINE.format(10.2, 1, GRANTED), [], id="after a flush"
        ),
        pytest.param(
            fault(7.0, "flush", "-") + LINE.format(10.2, 1, GRANTED), ["order"], id="long after it"
        ),
        pytest.param(
            fault(10.2, "scripts", "-") + LINE.format(10.2, 1, GRANTED), ["order"], id="no excuse"
        ),
        pytest.param(
            fault(10.2, "stop", "p2") + LINE.format(10.2, 1, GRANTED), ["order"], id="not its fault"
        ),
    ],
)
def test_first_come_first_served(history, found):
    assert rules(history) == found


WRITES = """
    1.0 p1 #1 ask n 0s 1s 1
    1.1 p1 #1 granted 10 2.0s
    2.1 p2 #1 ask n 0s 1s 1
    2.2 p2 #1 granted 11 3.0s
    2.3 p2 #1 write row 11
    2.4 p2 #1 wrote row ok 0
    2.5 p2 #1 leave 3.0s
"""
WRITTEN = Moved("row", "n", 0, 11)


@pytest.mark.parametrize(
    ("history", "trail", "found"),
    [
        pytest.param(WRITES, [WRITTEN], [], id="written and in the database"),
        pytest.param(WRITES, [], ["trail"], id="acknowledged but not in the database"),
        pytest.param(
            WRITES + "3.0 p1 #1 write row 10\n 3.1 p1 #1 wrote row stale 11",
            [WRITTEN], [], id="a stale write refused",
        ),
        pytest.param(
            WRITES + "3.0 p1 #1 write row 10\n 3.1 p1 #1 wrote row ok 0",
            [WRITTEN, Moved("row", "n", 11, 10)],
            ["stale write", "trail"], id="a stale write accepted",
        ),
        pytest.param(
            WRITES + "2.35 p1 #1 write row 10\n 3.1 p1 #1 wrote row ok 0",
            [Moved("row", "n", 0, 10), Moved("row", "n", 10, 11)],
            [], id="two writes at once, in their order",
        ),
        pytest.param(
            WRITES + "3.0 p1 #1 write fence 10\n 3.1 p1 #1 wrote fence ok 0",
            [WRITTEN, Moved("fence", "n", 0, 10)], [], id="another table",
        ),
        pytest.param(
            WRITES + "1.3 p1 #1 write row 10\n 1.4 p1 #1 wrote row stale 11",
            [WRITTEN], ["refused"], id="refused before there was a reason",
        ),
        pytest.param(
            WRITES + "3.0 p1 #1 write row 10\n 3.1 p1 #1 wrote row stale 9",
            [WRITTEN], ["refused"], id="refused for a lower fence",
        ),
        pytest.param(
            WRITES, [WRITTEN, Moved("row", "n", 12, 13)], ["trail"], id="changed behind the trail",
        ),
    ],
)  # fmt: skip
def test_writes(history, trail, found):
    assert rules(history, *trail) == found


def test_a_violation_shows_its_lines_in_their_order():
    history = ONE_AFTER_ANOTHER.replace("1.4 p1 #1 leave 2.0s", "1.6 p1 #1 leave 2.0s")
    [found] = check(parse(told(history)))
    shown = str(found).splitlines()
    assert "overlap: 2 hold n for 0.1" in shown[0]
    assert [line.split()[1] for line in shown[1:]].count("p2") == 5
    assert [line.split()[0] for line in shown[1:]] == sorted(line.split()[0] for line in shown[1:])
