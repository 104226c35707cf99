from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from health.labels import OTHER, Bounded


@pytest.fixture
def metric() -> str:
    return uuid4().hex


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def dropped(metric: str) -> float:
    return REGISTRY.get_sample_value("app_metric_series_dropped_total", {"metric": metric}) or 0.0


def test_the_first_keep_their_names_and_the_rest_are_one(metric: str) -> None:
    label = Bounded(metric, 2)
    assert [label(value) for value in "abcad"] == ["a", "b", OTHER, "a", OTHER]
    assert dropped(metric) == 2


def test_processes_choose_the_same(metric: str, shared: Path) -> None:
    one, other = Bounded(metric, 2), Bounded(metric, 2)
    assert [one("a"), other("b"), one("c"), other("a")] == ["a", "b", OTHER, "a"]
    assert Bounded(metric, 2)("b") == "b"
    assert Bounded(f"{metric}s", 2)("c") == "c"


def test_any_name_will_do(metric: str, shared: Path) -> None:
    names = ["", " ", "a\nb", f"{metric} x", "\N{SNOWMAN}%20", "a" * 3000]
    assert [Bounded(metric, 6)(name) for name in names] == names
    assert [Bounded(metric, 6)(name) for name in [*names, "more"]] == [*names, OTHER]


def test_what_cannot_be_written_counts_as_other(metric: str, shared: Path) -> None:
    (shared / "labels").mkdir()
    assert Bounded(metric, 2)("a") == OTHER


@pytest.mark.race
def test_the_bound_holds_for_many_at_once(metric: str, shared: Path) -> None:
    processes = [Bounded(metric, 5) for _ in range(8)]
    values = [f"{process}.{number}" for number in range(20) for process in range(8)]
    with ThreadPoolExecutor(8) as pool:
        labels = [pool.submit(processes[int(value[0])], value).result for value in sorted(values)]
        seen = {label() for label in labels}
    assert len(seen - {OTHER}) == 5
    # Each adds one at most five times before it finds enough.
    assert (shared / "labels").read_text().count("\n") <= 5 * 8
