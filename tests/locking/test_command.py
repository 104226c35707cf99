import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from locking import control, lock, names, rw_lock, scripts, semaphore
from locking.models import ForcedRelease
from locking.names import Kind
from locking.serializers import ForcedReleaseRow
from tests.locking.conftest import Use
from tests.locking.test_control import enrol, micros
from tests.product import until

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py"), "locks"]


def locks(*args: object) -> str:
    out = StringIO()
    call_command("locks", *map(str, args), stdout=out, stderr=StringIO())
    return out.getvalue()


def fails(code: int, *args: object) -> str:
    with pytest.raises(CommandError) as caught:
        locks(*args)
    assert caught.value.returncode == code
    return str(caught.value)


def test_locks_held_are_listed():
    lease = lock("render:1", lease=60).acquire()
    lock("nightly", lease=30).acquire()
    head, first, second = locks("list").splitlines()
    assert head.split("  ")[0] == "NAME"
    assert first.startswith("nightly  ")
    assert (second.split()[0], second.split()[-2]) == ("render:1", str(lease.fence))
    assert len(locks("list", "--prefix", "render:").splitlines()) == 2
    assert lease.token not in locks("list", "--json")


def test_nothing_held_is_a_head_or_an_empty_list():
    assert "".join(locks("list").split()) == "NAMEMODEHOLDERHELDFORENDSINFENCEWAITING"
    assert json.loads(locks("list", "--json"))["results"] == []


def test_a_list_is_told_as_rest_tells_it_page_by_page():
    for n in range(3):
        lock(f"n{n}", lease=30 + n).acquire()
    page = json.loads(locks("list", "--json", "--limit", 2))
    assert [row["name"] for row in page["results"]] == ["n0", "n1"]
    rest = json.loads(locks("list", "--json", "--cursor", page["next"]))
    assert [row["name"] for row in rest["results"]] == ["n2"]
    assert rest["next"] is None
    assert "cursor" not in locks("list")


def test_one_lock_is_shown_with_its_line(store):
    lease = lock("render", meta={"job": 1}).acquire()
    enrol(store, "render", "f" * 32, ticket=micros(store) - 90e6, due=micros(store) + 9e6)
    text = locks("show", "render")
    for part in (str(lease.fence), '{"job": 1}', "web:7", "1m30s"):
        assert part in text
    row = json.loads(locks("show", "render", "--json"))
    assert (row["fence"], row["waiters"][0]["position"]) == (lease.fence, 1)
    assert "free" in locks("show", "never")


ODD = "a\nb\x1b[2J\u202ec\u200bd\x7f é"


def test_what_a_terminal_would_obey_is_told_and_not_sent(db, store):
    lease = lock(ODD, meta={"job": "\x7f"}).acquire()
    store.hset(names.keys("lock", ODD)[0], "who", "chan we\x1bb:7:8:u {}")
    for text in (locks("list"), locks("show", ODD)):
        assert r"a\nb\x1b[2J\u202ec\u200bd\x7f é" in text
        assert r"we\x1bb:7:8" in text
        assert all(one.isprintable() for one in text.replace("\n", ""))
    assert len(locks("list").splitlines()) == 2
    assert json.loads(locks("list", "--json"))["results"][0]["name"] == ODD
    wrong = fails(1, "release", ODD, "--fence", lease.fence + 1, "--reason", "r", "--yes")
    assert wrong.isprintable()


@pytest.mark.parametrize("limit", [-1, 0, 201, 10**22])
def test_a_page_has_from_1_to_200_rows(limit: int):
    assert "from 1 to 200" in fails(2, "list", "--limit", limit)


@pytest.mark.parametrize(
    ("fence", "reason", "problem"),
    [
        (0, "r", "fence"),
        (-5, "r", "fence"),
        (2**53, "r", "fence"),
        (10**23, "r", "fence"),
        (1, "", "reason"),
        (1, " \n", "reason"),
        (1, "r" * 501, "reason"),
        (1, "\udcff", "reason"),
    ],
)
def test_a_release_without_a_fence_or_a_reason_is_refused(
    db, fence: int, reason: str, problem: str
):
    told = fails(2, "release", "x", "--fence", fence, "--reason", reason, "--yes")
    assert problem in told
    assert ForcedRelease.objects.count() == 0


def test_a_kind_that_is_none_is_told_which_there_are():
    with pytest.raises(CommandError, match="'lock', 'rw', 'sem'"):
        locks("show", "x", "--kind", "zz")


@pytest.fixture
def held_ones() -> list[tuple[str, str]]:
    lock("plain", meta={"job": 1, "of": None}).acquire()
    rw_lock("rows").read.acquire()
    semaphore("pool", 2).acquire()
    semaphore("pool", 2).acquire()
    return [("plain", "lock"), ("rows", "rw"), ("pool", "sem"), ("free", "lock")]


def steady(document: Any) -> Any:
    """Without what passes between two looks."""
    match document:
        case dict():
            passing = ("held_for", "expires_in", "waited")
            return {
                key: type(value) if key in passing else steady(value)
                for key, value in document.items()
            }
        case list():
            return [steady(one) for one in document]
    return document


def test_json_is_what_rest_has(operator_api, store, held_ones):
    enrol(store, "plain", "f" * 32, ticket=micros(store) - 90e6, due=micros(store) + 9e6)
    listed = operator_api.get("/api/v1/locks").json()
    assert steady(json.loads(locks("list", "--json"))) == steady(listed)
    for name, kind in held_ones:
        row = operator_api.get("/api/v1/locks/detail", {"name": name, "kind": kind}).json()
        told = json.loads(locks("show", name, "--kind", kind, "--json"))
        assert steady(told) == steady(row)
        assert list(told) == list(row)


def test_the_json_of_a_record_is_what_rest_has(db):
    lease = lock("render", meta={"job": 1}).acquire()
    order = ["--fence", lease.fence, "--reason", "it hangs", "--yes", "--json"]
    told = json.loads(locks("release", "render", *order))
    assert told == dict(ForcedReleaseRow(ForcedRelease.objects.get()).data)


def test_a_lock_is_taken_from_its_holder(db):
    lease = lock("render").acquire()
    order = ["release", "render", "--fence", lease.fence, "--reason", "it hangs", "--yes"]
    row = json.loads(locks(*order, "--json"))
    assert (row["outcome"], row["reason"]) == ("released", "it hangs")
    assert "@" in ForcedRelease.objects.get().actor
    assert "not held under that fence" in fails(1, *order)


def test_each_who_holds_a_permit_is_told_and_can_lose_it(db):
    pool = semaphore("pool", 3)
    first, second = pool.acquire(), pool.acquire()
    assert [line.split()[1] for line in locks("list").splitlines()[1:]] == ["permit", "permit"]
    assert str(second.fence) in locks("show", "pool", "--kind", "sem")
    order = ["--kind", "sem", "--fence", second.fence, "--reason", "it hangs", "--yes"]
    locks("release", "pool", *order)
    assert control.detail("pool", kind=Kind.SEMAPHORE).holder.fence == first.fence


@pytest.mark.parametrize("answer", ["", "n", None])
def test_without_a_yes_nothing_is_taken(db, monkeypatch: pytest.MonkeyPatch, answer: str | None):
    lease = lock("render").acquire()
    monkeypatch.setattr("sys.stdin", StringIO("" if answer is None else f"{answer}\n"))
    fails(1, "release", "render", "--fence", lease.fence, "--reason", "it hangs")
    assert ForcedRelease.objects.count() == 0
    assert lease.valid


def test_a_yes_may_be_typed(db, monkeypatch: pytest.MonkeyPatch):
    lease = lock("render").acquire()
    monkeypatch.setattr("sys.stdin", StringIO("y\n"))
    locks("release", "render", "--fence", lease.fence, "--reason", "it hangs")
    assert ForcedRelease.objects.get().outcome == "released"


@pytest.mark.parametrize(
    "args",
    [
        ["release", "a", "--fence", "1"],
        ["release", "a", "--reason", "r"],
        ["run", "a"],
        ["run", "a", "--lease", "soon", "--", "true"],
        [],
    ],
    ids=str,
)
def test_wrong_usage_is_refused(args):
    with pytest.raises(CommandError):
        locks(*args)


def test_a_name_that_cannot_be_is_wrong_usage():
    fails(2, "show", "x" * 201)
    fails(2, "list", "--cursor", "x")


def test_a_store_that_is_down_is_not_an_answer(own_valkey, use: Use):
    use(own_valkey.url)
    own_valkey.stop()
    for args in (["list"], ["show", "a"]):
        fails(2, *args)
    fails(69, "run", "a", "--", "true")
    with pytest.raises(SystemExit) as left:
        locks("doctor")
    assert left.value.code == 1


def test_the_doctor_tells_what_it_found():
    assert "locking.D001" in locks("doctor")
    found = json.loads(locks("doctor", "--json"))
    assert found[0] == {
        "id": "locking.D001", "level": "ok", "message": "The lock store answers.", "hint": "",
    }  # fmt: skip


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(process_env: dict[str, str]) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(*args: object, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*MANAGE, "run", *map(str, args)],
            env=process_env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def held(name: str) -> bool:
    return control.detail(name).holder is not None


def test_a_program_runs_while_the_lock_is_held(start: Start):
    script = "echo $LOCK_NAME $LOCK_FENCE; exit 7"
    process = start("nightly", "--", "sh", "-c", script)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 7, err
    name, fence = out.split()
    assert (name, int(fence)) == ("nightly", int(fence))
    assert not held("nightly")


def test_a_program_is_told_from_its_wrapper(start: Start):
    """Options after the dashes are the program's, standard input too."""
    process = start("a", "--", "sh", "-c", "cat; echo $0 $1", "--lease", "--json", stdin=-1)
    out, _ = process.communicate("words ", timeout=30)
    assert out == "words --lease --json\n"


def test_a_program_whose_name_is_no_unicode_is_run_and_listed(
    start: Start, tmp_path: Path, operator_api
):
    program = os.fsdecode(os.fsencode(tmp_path) + b"/job-\xe9.sh")
    Path(program).write_text("#!/bin/sh\nread word; exit 3")
    Path(program).chmod(0o700)
    process = start("nightly", "--", program, stdin=-1)
    until(lambda: held("nightly") or process.poll() is not None)
    (row,) = operator_api.get("/api/v1/locks").json()["results"]
    assert row["holder"]["meta"]["program"] == str(tmp_path / r"job-\udce9.sh")
    process.communicate("go", timeout=30)
    assert process.returncode == 3


def test_a_busy_lock_is_75():
    with lock("nightly"):
        assert "held by another" in fails(75, "run", "nightly", "--wait", "0", "--", "true")


def test_a_full_line_is_75_too(settings):
    settings.LOCKING = {**settings.LOCKING, "QUEUE_LIMIT": 0}
    with lock("nightly"):
        assert "Too many wait" in fails(75, "run", "nightly", "--", "true")


@pytest.mark.parametrize(("program", "code"), [("/no/such", 127), ("/", 126)])
def test_a_program_that_cannot_be_run_leaves_no_lock(program: str, code: int):
    fails(code, "run", "nightly", "--", program)
    assert not held("nightly")


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_programs_own_code_is_passed_on(script: str, code: int):
    with pytest.raises(SystemExit) as left:
        locks("run", "nightly", "--lease", "1m", "--wait", "0", "--", "sh", "-c", script)
    assert left.value.code == code


def test_a_lost_lock_is_70(store):
    script = "for i in $(seq 300); do sleep 0.05; done"
    with ThreadPoolExecutor(1) as pool:
        taker = pool.submit(take_away, store, "nightly")
        told = fails(70, "run", "nightly", "--", "sh", "-c", script)
        assert "was taken away" in told
        taker.result()


def take_away(store, name: str) -> None:
    until(lambda: held(name))
    time.sleep(0.2)
    fence = control.detail(name).holder.fence
    keys = names.keys("lock", name)
    assert store.eval(scripts.FORCE.source, len(keys), *keys, fence, "0" * 32)[0] == 1


def test_a_signal_ends_the_wait_for_the_lock(start: Start):
    with lock("nightly"):
        process = start("nightly", "--wait", "1h", "--", "true")
        until(lambda: control.detail("nightly").waiting == 1)
        process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 128 + signal.SIGTERM
        assert control.detail("nightly").waiting == 0


@pytest.mark.race
@pytest.mark.parametrize("inner", ["{}", "({}) & wait"], ids=["itself", "its child"])
@pytest.mark.parametrize("outer", [[], ["timeout", "60"]], ids=["alone", "under timeout"])
def test_a_program_does_not_outlive_who_renews_its_lease(
    start: Start, tmp_path: Path, inner: str, outer: list[str]
):
    """Nor does what it started."""
    beat = tmp_path / "beat"
    script = inner.format(f"for i in $(seq 300); do touch {beat}; sleep 0.05; done")
    process = start("nightly", "--", *outer, "sh", "-c", script)
    until(beat.exists)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    time.sleep(0.3)
    beat.unlink(missing_ok=True)
    time.sleep(0.3)
    assert not beat.exists()
