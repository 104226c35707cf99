import json

import pytest

from benchmarks.rounds import Spread
from benchmarks.rows import Budget, Row, record, table

CLOSE = Spread(0.99, 0.97, 1.02)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        pytest.param(Row(what="x", ours=5), "", id="for information"),
        pytest.param(Row(what="x", ours=5, budget=Budget("≤", 5)), "ok", id="at the limit"),
        pytest.param(Row(what="x", ours=6, budget=Budget("≤", 5)), "OVER", id="over the limit"),
        pytest.param(Row(what="x", ours=4, budget=Budget("≥", 5)), "OVER", id="under the least"),
        pytest.param(
            Row(what="x", ours=500, ratio=CLOSE, budget=Budget("≤", 1)), "ok", id="by the ratio"
        ),
    ],
)
def test_a_budget_is_for_the_ratio_where_there_is_one(row: Row, verdict: str) -> None:
    assert row.verdict == verdict


def test_the_table_lines_up_and_leaves_out_what_there_is_not() -> None:
    rows = [
        Row(what="pair", ours=120, unit="µs", peers={"raw": 121.5}, ratio=CLOSE,
            budget=Budget("≤", 1)),
        Row(what="wait", ours=3.14159, unit="ms", budget=Budget("≤", 2)),
    ]  # fmt: skip
    assert table(rows).splitlines() == [
        "what  ours     peers       ratio (quartiles)  budget",
        "pair  120 µs   raw 122 µs  0.99 (0.97-1.02)   ≤ 1.00     ok",
        "wait  3.14 ms                                 ≤ 2.00 ms  OVER",
    ]


def test_a_record_is_json_and_carries_the_verdict() -> None:
    row = Row(what="pair", ours=1.0, ratio=CLOSE, budget=Budget("≤", 1))
    assert json.loads(json.dumps(record(row)))["verdict"] == "ok"
