import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pytest
from django.conf import settings
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from health.counters import SharedCounters, shelves, tidy

from .conftest import eventually

# Above the greatest number that Linux gives to a process.
nobody = count(2**22 + 1)


def counted(directory: Path, kind: str, value: float, *, pid: int | None = None) -> Path:
    """The file of a process, ended unless its ``pid`` is told, that counted so much."""
    path = directory / f"{kind}_{pid or next(nobody)}.db"
    file = MmapedDict(str(path))
    file.write_value(mmap_key("jobs", "jobs_total", ["queue"], ["a"], "Jobs."), value, value)
    file.close()
    return path


def total(directory: Path) -> float:
    [metric] = SharedCounters(directory).collect()
    [sample] = metric.samples
    assert sample.labels == {"queue": "a"}
    return sample.value


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.db"))


def test_the_counters_of_ended_processes_become_one_file(tmp_path: Path) -> None:
    own = counted(tmp_path, "counter", 1, pid=os.getpid())
    for value in (2, 4, 8):
        counted(tmp_path, "counter", value)
    tidy(tmp_path)
    assert names(tmp_path) == sorted(["counter_sum-1.db", own.name])
    assert total(tmp_path) == 15
    counted(tmp_path, "counter", 16)
    tidy(tmp_path)
    assert names(tmp_path) == sorted(["counter_sum-2.db", own.name])
    assert total(tmp_path) == 31


def test_what_runs_is_left_alone(tmp_path: Path) -> None:
    # That of the first process of all is not ours to signal, unless we are root.
    files = [counted(tmp_path, "counter", 1, pid=pid) for pid in (1, os.getpid())]
    before = shelves(tmp_path)
    tidy(tmp_path)
    assert shelves(tmp_path) == before
    assert all(file.exists() for file in files)


@pytest.mark.parametrize(
    ("mode", "expected"), [("max", 5.0), ("min", 2.0), ("mostrecent", 5.0), ("sum", 10.0)]
)
def test_gauges_are_joined_as_their_mode_says(tmp_path: Path, mode: str, expected: float) -> None:
    for value in (3, 5, 2):
        counted(tmp_path, f"gauge_{mode}", value)
    assert total(tmp_path) == expected
    tidy(tmp_path)
    assert names(tmp_path) == [f"gauge_{mode}_sum-1.db"]
    assert total(tmp_path) == expected


@pytest.mark.parametrize("mode", ["all", "liveall", "livesum", "livemostrecent"])
def test_what_a_process_said_of_itself_ends_with_it(tmp_path: Path, mode: str) -> None:
    counted(tmp_path, f"gauge_{mode}", 1)
    tidy(tmp_path)
    assert names(tmp_path) == []


def test_a_file_that_is_just_being_made_disturbs_nobody(tmp_path: Path) -> None:
    counted(tmp_path, "counter", 3)
    (tmp_path / f"counter_{next(nobody)}.db").touch()
    assert total(tmp_path) == 3
    tidy(tmp_path)
    assert total(tmp_path) == 3


def test_the_file_of_a_reused_process_number_counts_beside_that_of_the_dead(tmp_path: Path) -> None:
    pid = next(nobody)
    for value in (1, 2, 4):
        counted(tmp_path, "counter", value, pid=pid)
        tidy(tmp_path)
    assert total(tmp_path) == 7


# Ends itself, without a word, before the step of so many that change the directory.
DIES = """
import os, shutil, sys
from pathlib import Path
from health import counters

directory, copy = Path(sys.argv[1]), Path(sys.argv[2])
STEPS = {"os.rename", "os.remove"}
left = -1

def step(event, arguments):
    global left
    if event in STEPS:
        left -= 1
        if left == 0:
            os._exit(9)

def total(where):
    [metric] = counters.SharedCounters(where).collect()
    return metric.samples[0].value

sys.addaudithook(step)
deaths = 0
while True:
    shutil.copytree(directory, copy)
    child = os.fork()
    if child == 0:
        left = deaths + 1
        counters.tidy(copy)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    half_done = total(copy)
    counters.tidy(copy)
    print(half_done, total(copy), len(list(copy.iterdir())))
    shutil.rmtree(copy)
    if status == 0:
        break
    deaths += 1
"""


def test_whoever_dies_while_tidying_loses_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "counters"
    directory.mkdir()
    counted(directory, "counter", 1, pid=1)
    counted(directory, "counter", 2)
    tidy(directory)
    for value in (4, 8):
        counted(directory, "counter", value)
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(directory), str(tmp_path / "copy")],
        env=os.environ | {"PYTHONPATH": str(settings.BASE_DIR)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    # Two files and the sum get a name, one draft and three files go: as many deaths, one survival.
    # What is left in the end: the running one's, the sum, and the lock.
    assert done.stdout.splitlines() == ["15.0 15.0 3"] * 8


@pytest.mark.race
def test_a_sum_never_falls_while_files_are_put_together(tmp_path: Path) -> None:
    done = Event()
    sums: list[float] = []

    def read() -> None:
        while not done.is_set():
            sums.append(total(tmp_path))

    counted(tmp_path, "counter", 1)
    reader = Thread(target=read)
    reader.start()
    for read_before in range(50):
        counted(tmp_path, "counter", 1)
        eventually(lambda n=read_before: len(sums) > n or not reader.is_alive())
        tidy(tmp_path)
    done.set()
    reader.join()
    assert sums == sorted(sums)
    assert total(tmp_path) == 51
