"""A program under a lock, started by this process."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from locking import LockBusy, LockLost, control, lock, names, scripts
from locking.locks import Lock
from locking.programs import FORWARDED, Program
from tests.product import until

# Long enough for a test, and not for ever should it fail.
LOOP = "for i in $(seq 500); do {}; sleep 0.02; done"

Soon = Callable[[Callable[[], object]], None]


@pytest.fixture
def soon() -> Iterator[Soon]:
    """Do something in another thread, while this one is with the program."""
    threads = []

    def begin(act: Callable[[], object]) -> None:
        thread = threading.Thread(target=act)
        threads.append(thread)
        thread.start()

    yield begin
    for thread in threads:
        thread.join()


def shell(script: str, *, grace: float = 0.3) -> Program:
    return Program(["sh", "-c", script], grace=grace)


def wanted(**options: object) -> Lock:
    return lock("nightly", **options)


def test_a_program_knows_its_lock(capfd: pytest.CaptureFixture[str]) -> None:
    before = lock("nightly").acquire()
    before.release()
    assert shell("echo $LOCK_NAME $LOCK_FENCE; exit 7").run(wanted()) == 7
    name, fence = capfd.readouterr().out.split()
    assert (name, int(fence) > before.fence) == ("nightly", True)
    assert control.detail("nightly").holder is None


def test_the_lock_is_held_meanwhile(tmp_path: Path, soon: Soon) -> None:
    go, seen = tmp_path / "go", []

    def look() -> None:
        until(lambda: control.detail("nightly").holder is not None)
        seen.append(lock("nightly").try_acquire())
        go.touch()

    soon(look)
    assert (
        shell(f"for i in $(seq 500); do [ -e {go} ] && exit; sleep 0.02; done; exit 1").run(
            wanted()
        )
        == 0
    )
    assert seen == [None]


def test_a_busy_lock_starts_nothing(tmp_path: Path) -> None:
    with lock("nightly"), pytest.raises(LockBusy):
        shell(f"touch {tmp_path / 'ran'}").run(wanted(wait=0))
    assert not (tmp_path / "ran").exists()


def test_a_program_that_does_not_exist_leaves_no_lock() -> None:
    with pytest.raises(FileNotFoundError):
        Program(["/no/such"]).run(wanted())
    assert control.detail("nightly").holder is None


@pytest.mark.parametrize("number", FORWARDED, ids=str)
def test_signals_go_on_to_the_program(tmp_path: Path, soon: Soon, number: signal.Signals) -> None:
    ready = tmp_path / "ready"
    before = signal.getsignal(number)

    def send() -> None:
        until(ready.exists)
        os.kill(os.getpid(), number)

    soon(send)
    script = (
        f"trap 'exit 9' {number.value}; touch {ready}; for i in $(seq 500); do sleep 0.02; done"
    )
    assert shell(script).run(wanted()) == 9
    assert signal.getsignal(number) is before


def test_a_signal_ends_the_wait_for_the_lock(soon: Soon) -> None:
    def send() -> None:
        until(lambda: control.detail("nightly").waiting == 1)
        os.kill(os.getpid(), signal.SIGTERM)

    with lock("nightly"):
        soon(send)
        with pytest.raises(SystemExit) as left:
            shell("true").run(wanted(wait=60))
        assert left.value.code == 128 + signal.SIGTERM
        assert control.detail("nightly").waiting == 0


def test_a_signal_that_comes_while_the_program_starts_is_not_lost() -> None:
    class Hasty(Program):
        def _start(self, *args):  # type: ignore[no-untyped-def]
            self._begun = True
            os.kill(os.getpid(), signal.SIGTERM)
            return super()._start(*args)

    assert Hasty(["sleep", "30"]).run(wanted()) == 128 + signal.SIGTERM


@pytest.mark.race
def test_a_lease_is_renewed_for_as_long_as_the_program_runs(soon: Soon) -> None:
    seen = []

    def look() -> None:
        until(lambda: control.detail("nightly").holder is not None)
        end = time.monotonic() + 1.3
        while time.monotonic() < end:
            seen.append(lock("nightly").try_acquire())
            time.sleep(0.02)

    soon(look)
    assert shell("sleep 1.6; exit 3").run(wanted(lease=1)) == 3
    assert not any(seen)


@pytest.mark.race
@pytest.mark.parametrize("deaf", ["", "trap '' TERM;"], ids=["hears TERM", "hears nothing"])
def test_a_program_ends_with_its_lease(
    store: redis.Redis, tmp_path: Path, soon: Soon, deaf: str
) -> None:
    """And all that it started."""
    beat = tmp_path / "beat"

    def take_away() -> None:
        until(beat.exists)
        keys = names.keys("lock", "nightly")
        fence = store.hget(keys[0], "f")
        store.eval(scripts.FORCE.source, len(keys), *keys, fence, "0" * 32)

    soon(take_away)
    (tmp_path / "inner").write_text(f"{deaf} {LOOP.format(f'touch {beat}')}")
    with pytest.raises(LockLost):
        shell(f"{deaf} sh {tmp_path / 'inner'} & wait; wait").run(wanted())
    time.sleep(0.1)
    beat.unlink(missing_ok=True)
    time.sleep(0.2)
    assert not beat.exists()


def test_what_a_program_leaves_behind_goes_on_when_it_has_ended_by_itself(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"(exec >&- 2>&-; sleep 0.2; touch {mark}) & exit 4"
    assert shell(script).run(wanted()) == 4
    until(mark.exists)


def test_nobody_is_left_to_watch(tmp_path: Path) -> None:
    before = children()
    shell("true").run(wanted())
    with pytest.raises(FileNotFoundError):
        Program(["/no/such"]).run(wanted())
    assert children() == before


def children() -> set[str]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {child for task in tasks for child in task.read_text().split()}
