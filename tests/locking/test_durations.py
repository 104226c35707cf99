from datetime import timedelta
from decimal import Decimal
from math import inf, nan

import pytest

from locking import LockInvalid
from locking.durations import lease_seconds, parse, spoken, wait_seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (30, 30.0),
        (0.5, 0.5),
        (0.01, 0.01),
        (timedelta(minutes=2), 120.0),
        (timedelta(milliseconds=250), 0.25),
        (604_800, 604_800.0),
    ],
)
def test_a_lease_is_an_int_a_float_or_a_timedelta(value, seconds):
    assert lease_seconds(value) == seconds


NO_DURATION = [True, False, "30", b"30", None, [30], Decimal(30), 3j]
OUT_OF_RANGE = [-1, -0.001, nan, inf, -inf, 604_801, 10**400, timedelta(days=8), timedelta(-1)]


@pytest.mark.parametrize("value", NO_DURATION, ids=repr)
def test_a_lease_of_another_type_is_refused_by_its_type(value):
    with pytest.raises(LockInvalid, match=f"not {type(value).__name__}"):
        lease_seconds(value)


@pytest.mark.parametrize("value", [0, 0.0, 0.009, timedelta(0), *OUT_OF_RANGE], ids=str)
def test_a_lease_out_of_range_is_refused(value):
    with pytest.raises(LockInvalid, match=r"lease must be from 0\.01 to 604800 seconds"):
        lease_seconds(value)


@pytest.mark.parametrize(
    ("value", "seconds"), [(0, 0.0), (10, 10.0), (timedelta(0), 0.0), (None, None)]
)
def test_a_wait_may_be_nothing_or_without_end(value, seconds):
    assert wait_seconds(value) == seconds


@pytest.mark.parametrize("value", [value for value in NO_DURATION if value is not None], ids=repr)
def test_a_wait_of_another_type_is_refused(value):
    with pytest.raises(LockInvalid, match="wait must be seconds or a timedelta"):
        wait_seconds(value)


@pytest.mark.parametrize("value", OUT_OF_RANGE, ids=str)
def test_a_wait_out_of_range_is_refused(value):
    with pytest.raises(LockInvalid, match="wait must be from 0 to 604800 seconds"):
        wait_seconds(value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400),
        ("1m30", 90), ("5", 5), (" 0.5s ", 0.5), ("0", 0),
    ],
)  # fmt: skip
def test_a_written_duration_is_read(text, seconds):
    assert parse(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1x", "1s2m", "1.5h", "nan", "inf", "1e3"])
def test_what_is_not_a_duration_is_refused(text):
    with pytest.raises(LockInvalid):
        parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"), (0, "0.0s"), (0.44, "0.4s"), (9.96, "10.0s"), (30.2, "30s"), (60, "1m"),
        (90, "1m30s"), (3600, "1h"), (7500, "2h5m"), (90_061, "1d1h"), (86_460, "1d"),
    ],
)  # fmt: skip
def test_a_duration_is_told_in_two_units_at_most(seconds, text):
    assert spoken(seconds) == text
