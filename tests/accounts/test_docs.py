"""What the document shows can be run as it is."""

import asyncio
import re
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.core.management import call_command, load_command_class
from django.urls import include, path
from django.utils import timezone
from django.utils.module_loading import import_string
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts import signing_keys
from accounts.checks import check_settings
from accounts.conf import conf
from accounts.models import LoginSession
from config.problems import CODES
from tests.breaker.test_docs import samples, spelt

from .conftest import PASSWORD

README = (project.BASE_DIR / "README.md").read_text()
DOCUMENT = (project.BASE_DIR / "docs/accounts.md").read_text()
SIGNED_IN, SIGNED, TASKS, SETTINGS = samples(DOCUMENT, "python")
SIGN, ROTATE, REENCRYPT = samples(DOCUMENT, "sh")


@pytest.fixture
def names(live_server: LiveServer, user: User) -> dict[str, Any]:
    """What the samples leave to their reader."""
    issued = signing_keys.issue(user, name="a sample", now=timezone.now())
    return {
        "__name__": "sample",
        "SITE": live_server.url,
        "PASSWORD": PASSWORD,
        "KEYID": issued.key.keyid,
        "SECRET": issued.secret,
    }


def test_a_program_stays_signed_in(
    names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        exec(SIGNED_IN, names)
    assert LoginSession.objects.get().device == "nightly import"
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600


def test_a_task_is_told_who_it_is_or_why_not(names: dict[str, Any]) -> None:
    exec(TASKS, names)
    assert asyncio.run(names["who"]()) == "ada"
    names["PASSWORD"] = "wrong"
    assert asyncio.run(names["who"]()) == "invalid_credentials, try again in None s"


def test_a_program_signs_its_requests(names: dict[str, Any]) -> None:
    exec(SIGNED, names)
    assert names["lease"].json()["name"] == "deploy"


def test_a_shell_signs_its_requests(
    names: dict[str, Any], process_env: dict[str, str], tmp_path: Path
) -> None:
    manage = f"{sys.executable} {project.BASE_DIR / 'manage.py'}"
    result = subprocess.run(
        ["bash", "-ec", f'manage.py() {{ {manage} "$@"; }}\n{SIGN}'],
        env=process_env | {"SITE": names["SITE"], "KEYID": names["KEYID"]}
        | {"SIGNING_SECRET": names["SECRET"]},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert '"name":"release"' in result.stdout.replace(" ", "")


def test_the_other_commands_are_there(transactional_db: None) -> None:
    parser = load_command_class("accounts", "accounts").create_parser("manage.py", "accounts")
    for line in f"{ROTATE}{REENCRYPT}".splitlines():
        program, command, *arguments = shlex.split(line, comments=True)
        assert (program, command) == ("manage.py", "accounts")
        parser.parse_args(arguments)
    call_command("accounts", "reencrypt", stdout=StringIO())


def test_the_settings_of_the_sample_pass_the_checks(settings: Settings) -> None:
    made: dict[str, Any] = {
        "INSTALLED_APPS": [], "SIGNING_KEY": b"s" * 32, "PEPPER": b"p" * 32,
        "ENCRYPTION_KEY": b"e" * 32,
    }  # fmt: skip
    exec(SETTINGS, made)
    settings.ACCOUNTS = made["ACCOUNTS"]
    settings.AUTHENTICATION_BACKENDS = made["AUTHENTICATION_BACKENDS"]
    assert check_settings() == []


def test_the_readme_signs_in_and_names_what_is_there(names: dict[str, Any]) -> None:
    settings, client = (
        one for one in samples(README, "python") if '"accounts' in one or "accounts." in one
    )
    exec(client.replace("https://mainstay.example", names["SITE"]), names)
    assert names["session"].is_closed
    made: dict[str, Any] = {
        "INSTALLED_APPS": [],
        "urlpatterns": [],
        "path": path,
        "include": include,
    }
    exec(settings, made)
    for named in (
        *made["AUTHENTICATION_BACKENDS"],
        *made["REST_FRAMEWORK"]["DEFAULT_AUTHENTICATION_CLASSES"],
    ):
        assert import_string(named)
    assert len(made["urlpatterns"][0].url_patterns) > 9


def test_every_key_of_the_setting_is_told_with_its_default(settings: Settings) -> None:
    settings.ACCOUNTS = {}
    for name in conf().__slots__:
        default = getattr(conf(), name)
        words = spelt(default) if default not in ((), b"") else "made from `SECRET_KEY`"
        assert f"| `{name.upper()}` | {words} |" in DOCUMENT


def test_every_code_that_is_told_is_one_of_the_closed_list() -> None:
    told = set(re.findall(r"\b[45]\d\d `([a-z_]+)`", DOCUMENT))
    assert "token_reused" in told
    assert told <= set(CODES)
