"""What the documents show can be run as it is."""

import asyncio
import re
import shlex
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as project
from django.core.management import call_command
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from breaker import get_breaker
from breaker.agent import agent
from breaker.checks import check_settings
from breaker.conf import Settings as Known
from breaker.conf import conf
from breaker.control import circuits
from breaker.policy import Policy
from tests.breaker.test_guard import view
from tests.locking.workers import forked

DOCUMENT = (project.BASE_DIR / "docs/breaker.md").read_text()
README = (project.BASE_DIR / "README.md").read_text()


def samples(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


PYTHON = samples(DOCUMENT, "python") + [
    sample for sample in samples(README, "python") if "breaker" in sample
]
COMMANDS = "".join(samples(DOCUMENT, "sh")).splitlines()


class Partner(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None: ...


@pytest.fixture(scope="module")
def partner() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Partner) as server:
        serving = threading.Thread(target=server.serve_forever, args=[0.05])
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        serving.join()


def run(sample: str, url: str = "") -> dict[str, Any]:
    """The names that it made, of those that it leaves to its reader some."""
    names: dict[str, Any] = {
        "__name__": "sample",
        "INSTALLED_APPS": [],
        "CACHES": {},
        "URL": url,
        "message": "hello",
        "send": len,
        "retry_in": pytest.fail,
    }
    exec(sample, names)
    return names


def test_there_are_as_many_samples_as_were_seen() -> None:
    assert len(PYTHON) == 8
    assert len(COMMANDS) == 3


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_a_sample_runs(number: int, partner: str) -> None:
    # In a child, because circuits of a process keep the options that they were given.
    assert forked(lambda: run(PYTHON[number], partner)) == 0


def test_the_samples_do_what_is_said_of_them(partner: str) -> None:
    decorators, by_hand, views, _, beside, *_ = PYTHON

    def work() -> None:
        made = run(decorators)
        made["fetch"]("https://partner.example")
        asyncio.run(made["export"]("acme", since=1))
        assert view("partner").tally.ok == view("tenant:acme").tally.ok == 1
        run(by_hand)
        assert view("partner").tally.ok == 4
        made = run(views)
        made["report"](RequestFactory().get("/"))
        assert view("reports").tally.failures == 1
        assert b"".join(made["export"](None)) == b"0\n1\n2\n"
        assert view("exports").tally.ok == 1
        run(beside, partner)
        assert view("partner").tally.ok == 5

    assert forked(work) == 0


@pytest.mark.parametrize("sample", [one for one in PYTHON if "BREAKER = " in one])
def test_the_settings_of_a_sample_pass_the_checks(settings: Settings, sample: str) -> None:
    made = run(sample)
    settings.CACHES = {**settings.CACHES, **made["CACHES"]}
    settings.BREAKER = made["BREAKER"]
    assert check_settings() == []


def test_the_commands_do_what_is_said_of_them(transactional_db: None, settings: Settings) -> None:
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
    get_breaker("partner").call(int)
    get_breaker("imagen:us-central1:imagen-4").call(int)
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "manage.py"
        call_command(*arguments, "--yes", stdout=StringIO(), stderr=StringIO())
    assert agent.flush(30)
    assert {one.name: one.word for one in circuits()}["partner"] == "forced_open"


def spelt(default: object) -> str:
    match default:
        case None:
            return "\u2013"
        case bool() | str():
            return f"`{default!r}`".replace("'", '"')
        case float():
            return f"{default:g}"
    return f"{default:,}"


def test_every_option_is_told_with_its_default() -> None:
    words = {
        "max_open_timeout": "10 \u00d7 `open_timeout`",
        "jitter": "0, or 0.1 with a back-off",
        "consecutive": "no",
        "on_store_error": "local",
    }
    for name in Policy.__slots__:
        default = words.get(name) or spelt(getattr(Policy(), name))
        assert f"| `{name}` | {default} |" in DOCUMENT


def test_every_key_of_the_setting_is_told_with_its_default(settings: Settings) -> None:
    settings.BREAKER = {}
    for name in set(Known.__slots__) - {"policy"}:
        default = "name of the machine" if name == "host" else spelt(getattr(conf(), name))
        assert f"| `{name.upper()}` | {default} |" in DOCUMENT
