"""Each benchmark with tiny counts, beside no library that the product does not need itself."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from benchmarks import (
    authenticated,
    crash,
    crowd,
    fight,
    guarded,
    handover,
    idle,
    stack,
    traffic,
    uncontended,
)
from benchmarks.contenders import REDIS_PY
from benchmarks.guarded import BARE
from benchmarks.rows import Row


@pytest.mark.race
@pytest.mark.parametrize(
    ("measure", "lines"),
    [
        pytest.param(lambda: uncontended.measure([], rounds=2, cycles=2), 3, id="uncontended"),
        pytest.param(lambda: handover.measure(REDIS_PY, [], rounds=2, block=1), 2, id="handover"),
        pytest.param(
            lambda: fight.measure(REDIS_PY, [], processes=2, rounds=1, seconds=0.5), 4, id="fight"
        ),
        pytest.param(lambda: crowd.measure(few=4, many=8, repeats=1), 2, id="crowd"),
        pytest.param(lambda: crash.measure(rounds=1), 2, id="crash"),
        pytest.param(lambda: guarded.measure(BARE, [], rounds=2, seconds=0.0001), 6, id="guarded"),
        pytest.param(lambda: traffic.measure([], seconds=0.2), 8, id="traffic"),
        pytest.param(lambda: idle.measure([], few=1, many=20, seconds=3), 1, id="idle"),
        pytest.param(lambda: stack.measure(rounds=2), 3, id="stack"),
    ],
)
def test_a_benchmark_measures(measure: Callable[[], list[Row]], lines: int) -> None:
    rows = measure()
    assert len(rows) == lines
    assert all(row.ours > 0 for row in rows)


@pytest.mark.race
def test_authentication_is_measured_on_the_database_at_hand(
    process_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", process_env["DATABASE_URL"])
    rows = authenticated.measure(rounds=2, requests=2)
    assert [connection.vendor in row.what for row in rows] == [True, True]
    assert all(row.ours > 0 for row in rows)
    assert not User.objects.exists()


@pytest.mark.race
def test_the_command_starts_what_it_needs_and_exits_by_the_budgets() -> None:
    command = [sys.executable, "-m", "benchmarks", "crowd", "--json"]
    result = subprocess.run(
        command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )
    rows = json.loads(result.stdout)
    assert result.returncode == any(row["verdict"] == "OVER" for row in rows)
    assert [row["what"] for row in rows] == [
        "commands per hand-over, 1000 waiters",
        "time per hand-over, 1000 waiters",
    ]
