import json
import socket
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as product
from django.core.management import call_command

from config.consultation import Entry, concealed, consult, doctors
from config.management.commands.doctor import Command

AILING = "tests.config.ailing"


@pytest.fixture
def ailing(settings: Any) -> Any:
    """Only an app of a foreign project, with a doctor of its own making."""
    settings.INSTALLED_APPS = [AILING]
    settings.AILING = ""
    return settings


def test_each_app_with_a_doctor_is_asked_by_its_label() -> None:
    found = dict(doctors())
    assert list(found) == ["config", "locking", "breaker", "google", "accounts", "health"]
    assert found["locking"] == "locking.doctor"


def test_an_app_of_a_stranger_takes_part(ailing: Any) -> None:
    assert consult(timeout=30) == [
        Entry(app="ailing", id="ailing.D001", level="ok", message="It breathes.")
    ]


def test_what_was_found_before_a_doctor_hung_is_kept(ailing: Any) -> None:
    ailing.AILING = "hangs"
    breathes, unknown = consult(timeout=1.5)
    assert breathes.id == "ailing.D001"
    assert (unknown.id, unknown.level) == ("ailing.D000", "unknown")
    assert unknown.message == "The doctor of ailing did not finish within 1.5 s."


def test_a_doctor_that_fails_is_told_without_what_it_read(ailing: Any) -> None:
    ailing.AILING = "raises"
    _, unknown = consult(timeout=30)
    assert unknown.level == "unknown"
    assert unknown.message == "The doctor of ailing failed: ValueError."


def test_passwords_and_line_breaks_are_taken_out(ailing: Any) -> None:
    ailing.AILING = "tells"
    ailing.CACHES = {"default": {"LOCATION": "redis://:hunter2@host/0"}}
    _, told = consult(timeout=30)
    assert (told.message, told.hint) == ("“***” was refused.", "See to it.")


@pytest.mark.parametrize(
    "location",
    ["redis://:p%40ss-word@host/0", ["redis://:p%40ss-word@host/0", "redis://other/0"]],
    ids=["one", "several"],
)
def test_passwords_of_stores_are_concealed_in_both_spellings(settings: Any, location: Any) -> None:
    settings.CACHES = {"default": {"LOCATION": location}, "memory": {}}
    assert concealed("p@ss-word, p%40ss-word, other") == "***, ***, other"


def test_a_password_that_is_part_of_a_word_leaves_the_word(settings: Any) -> None:
    settings.CACHES = {"default": {"LOCATION": "redis://:red@host/0"}}
    assert concealed("redis refused “red”, as red.") == "redis refused “***”, as ***."


def doctor(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        # By itself: commands are looked for in installed apps.
        call_command(Command(), *arguments, stdout=out)
    except SystemExit as leave:
        return int(str(leave.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.mark.parametrize(
    ("behaviour", "arguments", "code", "summary"),
    [
        ("", [], 0, "1 fine"),
        ("tells", [], 1, "1 wrong, 1 fine"),
        ("raises", [], 2, "1 not known, 1 fine"),
        ("hangs", ["--timeout", "1.5"], 2, "1 not known, 1 fine"),
    ],
    ids=["fine", "wrong", "failed", "hung"],
)
def test_the_exit_code_tells_what_is_known(
    ailing: Any, behaviour: str, arguments: list[str], code: int, summary: str
) -> None:
    ailing.AILING = behaviour
    left, out = doctor(*arguments)
    assert (left, out.splitlines()[-1]) == (code, f"overall: {summary}")


def test_a_warning_fails_where_it_is_told_to(ailing: Any) -> None:
    ailing.AILING = "warns"
    assert doctor()[0] == 0
    assert doctor("--fail-on", "warning")[0] == 1


def test_json_is_one_document(ailing: Any) -> None:
    ailing.AILING = "tells"
    _, out = doctor("--json")
    document = json.loads(out)
    assert document["summary"] == {"error": 1, "unknown": 0, "warning": 0, "ok": 1}
    assert document["findings"][1] == {
        "app": "ailing", "id": "ailing.D002", "level": "error",
        "message": "“hunter2” was refused.", "hint": "See to it.",
    }  # fmt: skip


def test_no_cursor_is_moved_by_what_a_server_says(ailing: Any) -> None:
    ailing.AILING = "escapes"
    assert "\x1b" not in doctor()[1]


def test_all_is_told_of_a_site_in_order(transactional_db: None) -> None:
    code, out = doctor("--json", "--timeout", "60")
    found = json.loads(out)["findings"]
    assert code == 0, [one for one in found if one["level"] not in ("ok", "warning")]
    assert list(dict.fromkeys(one["app"] for one in found)) == [
        "config", "locking", "breaker", "google", "accounts", "health",
    ]  # fmt: skip
    assert all(one["hint"] for one in found if one["level"] != "ok")


def test_everything_may_hang_and_the_report_still_comes_without_a_password(
    process_env: dict[str, str],
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent:
        port = silent.getsockname()[1]
        env = process_env | {
            "DATABASE_URL": f"postgres://shop:hunter2@127.0.0.1:{port}/shop",
            "REDIS_URL": f"redis://shop:swordfish@127.0.0.1:{port}/0",
        }
        command = [sys.executable, "manage.py", "doctor", "--json", "--timeout", "3"]
        done = subprocess.run(
            command, env=env, cwd=product.BASE_DIR, capture_output=True, text=True, timeout=120
        )
    found = json.loads(done.stdout)["findings"]
    assert done.returncode in (1, 2)
    # Which of them had the time to tell what it waited for, the machine decides.
    assert {one["app"] for one in found if one["level"] in ("error", "unknown")} == {
        "config", "locking", "breaker", "accounts",
    }  # fmt: skip
    for secret in ("hunter2", "swordfish", "postgres://", "redis://", process_env["SECRET_KEY"]):
        assert secret not in done.stdout + done.stderr
