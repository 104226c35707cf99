import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from accounts.client import FileStorage

HOLDER = """
import sys
from accounts.client import FileStorage
assert FileStorage(sys.argv[1]).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"PYTHONPATH": str(settings.BASE_DIR)},
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_what_was_saved_last_is_loaded(path: Path) -> None:
    storage = FileStorage(path)
    assert storage.load() is None
    for text in ("one", "two"):
        storage.save(text)
        assert FileStorage(str(path)).load() == text


def test_nobody_else_can_read_it_whatever_lay_there_before(path: Path) -> None:
    before = os.umask(0)
    try:
        for name in ("tokens.json", "tokens.json.new"):
            (path.parent / name).write_text("open to all")
            (path.parent / name).chmod(0o666)
        storage = FileStorage(path)
        assert storage.acquire()
        storage.save("secret")
    finally:
        os.umask(before)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {"tokens.json": 0o600, "tokens.json.lock": 0o600}
    storage.release()


def test_the_lock_has_one_holder_at_a_time(path: Path) -> None:
    one, two = FileStorage(path), FileStorage(path)
    for _ in range(2):
        assert one.acquire()
        assert not one.acquire()
        assert not two.acquire()
        one.release()
        assert two.acquire()
        two.release()


def test_the_lock_holds_against_other_processes_and_dies_with_them(
    path: Path, holder: subprocess.Popen[str]
) -> None:
    storage = FileStorage(path)
    assert not storage.acquire()
    holder.kill()
    holder.wait()
    assert storage.acquire()
    storage.release()


def test_a_child_forked_meanwhile_does_not_keep_the_lock(path: Path) -> None:
    storage = FileStorage(path)
    assert storage.acquire()
    # As a fork would: the same open file, once more.
    copy = os.dup(storage._descriptor)
    storage.release()
    other = FileStorage(path)
    assert other.acquire()
    other.release()
    os.close(copy)


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "missing" / "tokens.json")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            storage.acquire()
