"""Signing keys change hands on the command line, and in the file that holds them."""

import io
import json
import threading
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from accounts import control, keyfile, keyring, keys
from accounts.keyring import Key, State

OLD = b"o" * 32
TEXT = urlsafe_b64encode(OLD).rstrip(b"=").decode()


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("accounts", "rotate-keys", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As the product has it: what is in the file is in the environment too."""
    file = tmp_path / "secrets.env"
    file.write_text(f"SECRET_KEY=a=b\nTOKEN_SIGNING_KEYS={TEXT}\nTOKEN_PEPPER=p\n")
    settings.ACCOUNTS = {**settings.ACCOUNTS, "KEY_FILE": file, "SIGNING_KEYS": [OLD]}
    monkeypatch.setenv("TOKEN_SIGNING_KEYS", TEXT)
    return file


def held(file: Path) -> tuple[Key, ...]:
    (line,) = (line for line in file.read_text().splitlines() if "SIGNING" in line)
    return keyring.parse(line.partition("=")[2])


def restarted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new process has read what the file holds by then."""
    monkeypatch.setenv("TOKEN_SIGNING_KEYS", keyring.text(held(file)))


def test_two_rotations_publish_a_key_and_let_it_sign(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = run()
    current, following = held(file)
    assert (current, following.state) == (Key(OLD), State.NEXT)
    assert [line.split()[1] for line in told.splitlines()[:2]] == ["current", "next"]
    restarted(file, monkeypatch)
    rows = json.loads(run("--at-once", "--json"))["keys"]
    assert [row["state"] for row in rows] == ["current", "next", "retired"]
    assert [key.secret for key in held(file)][0::2] == [following.secret, OLD]
    assert rows[0]["kid"] == keys.kid_of(following)
    lasting = held(file)[2].at - timezone.now()
    assert timedelta(days=30) < lasting <= timedelta(days=30, hours=1)


def test_the_file_keeps_its_other_lines_and_stays_with_its_owner(file: Path) -> None:
    file.chmod(0o600)
    run()
    lines = file.read_text().splitlines()
    assert (lines[0], lines[2], len(lines)) == ("SECRET_KEY=a=b", "TOKEN_PEPPER=p", 3)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["secrets.env"]


def test_no_private_key_is_printed_unless_asked_for(file: Path) -> None:
    told = run()
    for key in held(file):
        assert urlsafe_b64encode(key.secret).rstrip(b"=").decode() not in told


def test_a_key_does_not_sign_before_others_can_know_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    before = file.read_bytes()
    restarted(file, monkeypatch)
    with pytest.raises(CommandError, match="--at-once") as caught:
        run()
    assert caught.value.returncode == 1
    assert file.read_bytes() == before


@pytest.mark.parametrize("how", ["no file", "no line", "another value", "no setting"])
def test_keys_that_the_environment_holds_are_left_to_it(
    file: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    match how:
        case "no file":
            file.unlink()
        case "no line":
            file.write_text("SECRET_KEY=x\n")
        case "another value":
            monkeypatch.setenv("TOKEN_SIGNING_KEYS", TEXT[::-1])
        case "no setting":
            settings.ACCOUNTS = {**settings.ACCOUNTS, "KEY_FILE": None}
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(CommandError, match="--print-keys") as caught:
        run()
    assert caught.value.returncode == 1
    assert (file.read_bytes() if file.exists() else None) == before
    name, _, value = run("--print-keys").strip().partition("=")
    assert name == "TOKEN_SIGNING_KEYS"
    assert [key.state for key in keyring.parse(value)] == [State.CURRENT, State.NEXT]
    assert json.loads(run("--print-keys", "--json"))["value"].startswith(f"{TEXT},")


def test_keys_that_are_derived_can_be_taken_over(settings: Settings) -> None:
    settings.ACCOUNTS = {}
    derived = keys.ring().kid
    following = control.rotate_keys(now=timezone.now(), keep=False)
    assert keys.kid_of(following[0]) == derived


def test_a_file_that_cannot_be_written_stays_as_it_is(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()
    file.with_name("secrets.env.rotated").mkdir()
    with pytest.raises(CommandError, match="file of secrets") as caught:
        run()
    assert caught.value.returncode == 2
    assert file.read_bytes() == before


@pytest.mark.race
def test_of_changes_at_the_same_time_none_is_lost(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(8)

    def add(number: int) -> None:
        def one_more(held: tuple[Key, ...]) -> tuple[Key, ...]:
            return (*held, Key(bytes([number]) * 32, State.RETIRED))

        together.wait()
        keyfile.change(file, one_more)

    monkeypatch.delenv("TOKEN_SIGNING_KEYS")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(1, 9)))
    assert sorted(key.secret[0] for key in held(file)[1:]) == list(range(1, 9))
