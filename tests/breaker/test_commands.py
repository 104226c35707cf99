"""Circuits from a terminal."""

import json
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from breaker import control, get_breaker
from breaker.agent import agent
from breaker.circuit import Verb
from breaker.durations import parse, spoken
from breaker.errors import CommandInvalid
from breaker.models import BreakerConfig, BreakerTransition
from tests.breaker.test_api import down
from tests.breaker.test_guard import open_circuit
from tests.conftest import signed_in
from tests.servers import Valkey

ODD = "a\x1b[2J\u202eb"
VERBS = [verb.value for verb in Verb]


def breakers(*args: object) -> str:
    out = StringIO()
    call_command("breakers", *map(str, args), stdout=out, stderr=StringIO())
    return out.getvalue()


def fails(code: int, *args: object) -> str:
    with pytest.raises(CommandError) as caught:
        breakers(*args)
    assert caught.value.returncode == code
    return str(caught.value)


@pytest.fixture
def history(transactional_db: None, settings: Settings) -> Iterator[None]:
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
    yield
    assert agent.flush(30)


def test_circuits_are_listed() -> None:
    get_breaker("calm").call(int)
    open_circuit("veo")
    agent.flush()
    head, calm, veo = breakers("list").splitlines()
    assert head.split()[:4] == ["NAME", "STATE", "FAILED", "CALLS"]
    assert calm.split() == ["calm", "closed", "0%", "1", "0", "0", "-", "-", "-"]
    assert veo.split()[:6] == ["veo", "open", "100%", "1", "0", "0"]
    assert "threshold_reached" in veo
    (only,) = breakers("list", "--state", "open").splitlines()[1:]
    assert only.split()[0] == "veo"
    assert breakers("list", "--contains", "cal").splitlines()[1].split()[0] == "calm"


def test_no_circuit_is_a_head_or_an_empty_list() -> None:
    assert breakers("list").split()[0] == "NAME"
    assert len(breakers("list").splitlines()) == 1
    assert json.loads(breakers("list", "--json"))["results"] == []


def test_a_list_is_told_page_by_page() -> None:
    for name in ("a", "b", "c"):
        get_breaker(name).call(int)
    page = json.loads(breakers("list", "--json", "--limit", 2))
    assert [row["name"] for row in page["results"]] == ["a", "b"]
    rest = json.loads(breakers("list", "--json", "--cursor", page["next"]))
    assert ([row["name"] for row in rest["results"]], rest["next"]) == (["c"], None)
    told = StringIO()
    call_command("breakers", "list", "--limit", "2", stdout=StringIO(), stderr=told)
    assert f"--cursor {page['next']}" in told.getvalue()


def test_one_circuit_is_shown_with_its_options() -> None:
    open_circuit("veo", open_timeout=90)
    breakers("disable", "veo", "--reason", "they mend it", "--for", "10m", "--yes")
    text = breakers("show", "veo")
    for part in (
        "disabled, ends in 10m", "they mend it (", "1 calls, 1 failed", "1 failed, 0 throttled",
        "open_timeout", "90", "Down: out of order",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_is_done_and_told(verb: str) -> None:
    open_circuit("veo")
    said = breakers(verb, "veo", "--reason", "says who", "--yes")
    found = control.circuit("veo")
    assert f"veo is {found.word} now, in epoch {found.epoch}" in said
    assert found.reason == "says who"
    assert "@" in found.actor


def test_json_is_what_rest_answers(history: None, operator: User) -> None:
    api = signed_in(operator)
    open_circuit("veo")
    told = json.loads(breakers("open", "veo", "--reason", "r", "--yes", "--json"))
    shown = json.loads(breakers("show", "veo", "--json"))
    (listed,) = json.loads(breakers("list", "--json"))["results"]
    row = api.get("/api/v1/breakers/veo").json()
    assert list(told) == list(shown) == list(listed) == list(row)
    timeless = {"retry_after": 0}
    assert told | timeless == shown | timeless == listed | timeless == row | timeless
    assert agent.flush(30)
    past = json.loads(breakers("history", "veo", "--json"))
    assert past == api.get("/api/v1/breakers/veo/transitions").json()


def test_the_past_is_told_latest_first(history: None) -> None:
    open_circuit("veo")
    breakers("close", "veo", "--reason", "it is well", "--yes")
    head, closed, opened = breakers("history", "veo").splitlines()
    assert head.split() == ["AT", "FROM", "TO", "REASON", "CALLS", "PROCESS"]
    assert "it is well (" in closed
    assert "threshold_reached" in opened
    page = json.loads(breakers("history", "veo", "--json", "--limit", 1))
    rest = json.loads(breakers("history", "veo", "--json", "--cursor", page["next"]))
    assert [row["to_state"] for row in rest["results"]] == ["open"]


@pytest.mark.parametrize("answer", ["", "n", "yes", None])
def test_without_a_yes_nothing_is_done(monkeypatch: pytest.MonkeyPatch, answer: str | None) -> None:
    get_breaker("veo").call(int)
    monkeypatch.setattr("sys.stdin", StringIO("" if answer is None else f"{answer}\n"))
    assert "Nothing was done" in fails(1, "open", "veo", "--reason", "r")
    assert control.circuit("veo").epoch == 0


def test_a_yes_may_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    get_breaker("veo").call(int)
    monkeypatch.setattr("sys.stdin", StringIO("y\n"))
    breakers("open", "veo", "--reason", "r")
    assert control.circuit("veo").word == "forced_open"


def test_a_circuit_that_moved_on_is_left_alone() -> None:
    open_circuit("veo")
    epoch = control.circuit("veo").epoch
    fails(1, "close", "veo", "--reason", "r", "--yes", "--epoch", epoch - 1)
    assert control.circuit("veo").epoch == epoch
    breakers("close", "veo", "--reason", "r", "--yes", "--epoch", epoch)


def test_a_name_nobody_has_heard_of_is_refused(db: None) -> None:
    for args in (["show"], ["history"], *([verb, "--reason", "r", "--yes"] for verb in VERBS)):
        assert "no circuit" in fails(1, *args, "nobody")
        fails(1, *args, "x" * 201)
    assert control.circuits() == []


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["open", "a"],
        ["open", "--reason", "r"],
        ["open", "a", "--reason", "r", "--for", "soon"],
        ["close", "a", "--reason", "r", "--for", "1m"],
        ["open", "a", "--reason", "r", "--epoch", "x"],
        ["list", "--state", "ajar"],
        ["explode", "a", "--reason", "r"],
    ],
    ids=str,
)
def test_wrong_usage_is_refused(args: list[str]) -> None:
    with pytest.raises(CommandError):
        breakers(*args)


@pytest.mark.parametrize(
    "args",
    [
        ["open", "a", "--reason", " ", "--yes"],
        ["open", "a", "--reason", "two\nlines", "--yes"],
        ["open", "a", "--reason", "x" * 301, "--yes"],
        ["open", "a", "--reason", "r", "--for", "0", "--yes"],
        ["open", "a", "--reason", "r", "--for", "31d", "--yes"],
        ["list", "--limit", "0"],
        ["list", "--limit", "201"],
        ["list", "--cursor", "!"],
        ["history", "a", "--cursor", "x"],
    ],
    ids=ascii,
)
def test_what_makes_no_sense_does_nothing(db: None, args: list[str]) -> None:
    get_breaker("a").call(int)
    fails(2, *args)
    assert control.circuit("a").epoch == 0


def test_what_a_terminal_would_obey_is_told_and_not_sent() -> None:
    get_breaker("b", failure_threshold=1, retry_after=lambda end: None)

    def fail() -> None:
        raise OSError(ODD)

    with pytest.raises(OSError, match="2J"):
        get_breaker("b").call(fail)
    for text in (breakers("list"), breakers("show", "b"), fails(1, "show", ODD)):
        assert all(one.isprintable() or one == "\n" for one in text)


def rows(*args: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(breakers("config", *args, "--json"))["results"]
    return found


def test_circuits_are_configured_by_name_or_pattern(history: None) -> None:
    get_breaker("veo:1").call(int)
    (row,) = rows("veo:*", "failure_threshold=3", "on_store_error=reject", "--yes")
    assert row["options"] == {"failure_threshold": 3, "on_store_error": "reject"}
    assert (row["enabled"], row["version"], "@" in row["updated_by"]) == (True, 1, True)
    (row,) = rows("veo:*", "failure_threshold=", "consecutive=true", "--yes")
    assert row["options"] == {"on_store_error": "reject", "consecutive": True}
    assert "veo:*" in breakers("config")
    assert "consecutive=true, on_store_error=reject" in breakers("config", "veo:*")
    shown = json.loads(breakers("show", "veo:1", "--json"))
    assert shown["configured"] == row["options"]
    assert rows("veo:*", "--remove", "--yes") == rows() == []
    assert json.loads(breakers("show", "veo:1", "--json"))["configured"] == {}


@pytest.mark.parametrize("options", [[1, 2], "x"], ids=str)
def test_a_row_without_options_is_listed(db: None, options: Any) -> None:
    BreakerConfig.objects.create(pattern="veo:*", options=options)
    assert "veo:*" in breakers("config")
    assert rows()[0]["options"] == {}


@pytest.mark.parametrize(
    ("code", "args"),
    [
        (1, ["nothing:*"]),
        (1, ["nothing:*", "--remove", "--yes"]),
        (2, ["veo", "failure_threshold=0", "--yes"]),
        (2, ["veo", "failure_threshold=many", "--yes"]),
        (2, ["veo", "window=NaN", "--yes"]),
        (2, ["veo", "window=1" + "0" * 400, "--yes"]),
        (2, ["veo", "windwo=30", "--yes"]),
        (2, ["veo", "open_timeout=10", "max_open_timeout=5", "--yes"]),
        (2, ["veo[", "window=30", "--yes"]),
        (2, ["", "window=30", "--yes"]),
        (2, ["x" * 201, "window=30", "--yes"]),
        (2, ["a\nb", "window=30", "--yes"]),
        (2, ["veo", "window=30", "--remove", "--yes"]),
        (2, ["--remove", "--yes"]),
    ],
    ids=ascii,
)
def test_what_no_circuit_can_work_with_is_refused(db: None, code: int, args: list[str]) -> None:
    fails(code, "config", *args)
    assert BreakerConfig.objects.count() == 0


def test_the_last_option_that_is_taken_back_leaves_nothing(db: None) -> None:
    assert len(rows("veo:*", "window=30", "--yes")) == 1
    assert rows("veo:*", "window=", "--yes") == rows() == []


@pytest.mark.parametrize(
    ("code", "args"),
    [
        (2, ["config", "veo", "window=0"]),
        (2, ["config", "veo", "max_open_timeout=5"]),
        (2, ["config", "veo[", "window=30"]),
        (1, ["config", "nothing:*", "--remove"]),
        (1, ["open", "nobody", "--reason", "r"]),
    ],
    ids=str,
)
def test_nobody_is_asked_about_what_cannot_be(
    db: None, monkeypatch: pytest.MonkeyPatch, code: int, args: list[str]
) -> None:
    answers = StringIO("y\n")
    monkeypatch.setattr("sys.stdin", answers)
    fails(code, *args)
    assert answers.tell() == 0


def test_without_a_yes_nothing_is_configured(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    fails(1, "config", "veo", "window=30")
    with pytest.raises(CommandError):
        breakers("config", "veo", "window")
    assert BreakerConfig.objects.count() == 0


@pytest.mark.parametrize(
    "args",
    [["history", "veo"], ["config"], ["config", "veo", "window=30", "--yes"], ["show", "unheard"]],
    ids=" ".join,
)
def test_without_a_database_what_only_it_knows_cannot_be_told(
    history: None, args: list[str]
) -> None:
    get_breaker("veo").call(int)
    with connection.execute_wrapper(down):
        assert fails(2, *args) == "The database does not answer: could not connect"
        assert "veo" in breakers("list")
        assert "veo" in breakers("show", "veo")


class TestWithoutAStore:
    def test_nothing_is_told_as_if_it_were_so(self, db: None, own_store: Valkey) -> None:
        get_breaker("veo").call(int)
        own_store.stop()
        order = ["--reason", "r", "--yes"]
        for args in (["list"], ["show", "veo"], *([verb, "veo", *order] for verb in VERBS)):
            assert "does not answer" in fails(2, *args)

    def test_the_doctor_says_so(self, own_store: Valkey) -> None:
        own_store.stop()
        with pytest.raises(SystemExit) as left:
            breakers("doctor")
        assert left.value.code == 1


def test_a_cache_that_is_not_redis_has_nothing_to_tell(settings: Settings) -> None:
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {**settings.CACHES, "breaker": memory}
    agent.forget()
    get_breaker("veo").call(int)
    for args in (["list"], ["show", "veo"], ["open", "veo", "--reason", "r", "--yes"]):
        assert "not a django-redis cache" in fails(2, *args)


def test_the_doctor_tells_what_it_found(db: None) -> None:
    assert "breaker.D001" in breakers("doctor")
    found = json.loads(breakers("doctor", "--json"))
    assert found[0] == {
        "id": "breaker.D001", "level": "ok", "message": "The store of the circuits answers.",
        "hint": "",
    }  # fmt: skip
    assert control.circuits() == []


def test_a_process_of_its_own_leaves_its_word_and_its_record(
    process_env: dict[str, str], settings: Settings
) -> None:
    """The command ends at once, and its row is written by then."""
    get_breaker("veo").call(int)
    code = (
        "import sys, django; from django.conf import settings; django.setup();"
        "settings.BREAKER['HISTORY'] = True;"
        "from django.core.management import call_command; call_command(*sys.argv[1:])"
    )
    order = ["breakers", "open", "veo", "--reason", "by hand", "--for", "1h", "--yes"]
    done = subprocess.run(
        [sys.executable, "-c", code, *order],
        env=process_env, cwd=project.BASE_DIR, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "veo is forced_open now" in done.stdout
    row = BreakerTransition.objects.get()
    assert (row.to_state, row.reason, "@" in row.actor) == ("forced_open", "by hand", True)
    found = control.circuit("veo")
    assert 3500 < (found.override_ends_in or 0) <= 3600


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1d", 86400), ("45", 45),
     ("1.5s", 1.5), (" 5m ", 300)],
)  # fmt: skip
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "m5", "-1s", "1e3", "nan", "inf", "1,5s", "5 m", "٣s", "9" * 10, "soon"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(CommandInvalid):
        parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (-1, "0.0s"), (0.42, "0.4s"), (10, "10s"), (90, "1m30s"), (3600, "1h"),
     (7500, "2h5m"), (90061, "1d1h")],
)  # fmt: skip
def test_a_duration_is_spoken(seconds: float, text: str) -> None:
    assert spoken(seconds) == text
