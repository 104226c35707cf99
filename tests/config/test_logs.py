import io
import json
import logging
import threading
import time
import warnings
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from config import logs
from config.current import Current, here
from config.tracing import Trace

NASTY = 'one\ntwo\r\x1b[31m\x7f\x85\x9b2J\u2028\u202e"\ud800\x00end'


@pytest.fixture(params=["json", "text"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Log:
    """A logger of our own that writes as the product does."""

    def __init__(self, form: str) -> None:
        self.written = io.StringIO()
        handler = logging.StreamHandler(self.written)
        handler.setFormatter({"json": logs.JsonLines, "text": logs.TextLines}[form]())
        self.logger = logging.Logger("tests.log")
        self.logger.addHandler(handler)

    @property
    def lines(self) -> list[str]:
        return self.written.getvalue().split("\n")[:-1]

    @property
    def json(self) -> dict[str, Any]:
        (line,) = self.lines
        found = json.loads(line)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def log(form: str) -> Log:
    return Log(form)


@pytest.fixture
def current() -> Iterator[Current]:
    made = Current("an-id", Trace("f" * 32), "GET", time.perf_counter(), user="7")
    token = here.set(made)
    yield made
    here.reset(token)


def test_a_message_is_one_line_without_commands_to_a_terminal(log: Log) -> None:
    log.logger.warning("said: %s", NASTY)
    (line,) = log.lines
    assert line.isprintable()
    assert "end" in line


def test_an_exception_cannot_forge_lines(log: Log, form: str) -> None:
    try:
        raise ValueError(f"{NASTY}\n2026-01-01T00:00:00 INFO mainstay forged")
    except ValueError:
        log.logger.exception("failed")
    first, *rest = log.lines
    assert all(line.isprintable() for line in log.lines)
    if form == "json":
        assert rest == []
        assert "Traceback" in json.loads(first)["exception"]
    else:
        assert "forged" in "".join(rest)
        assert all(line.startswith("    ") for line in rest)


def test_names_and_fields_are_no_way_in_either() -> None:
    log = Log("json")
    log.logger.name = NASTY
    log.logger.info("x", extra={"fields": {"route": NASTY}})
    (line,) = log.lines
    assert line.isprintable()
    assert log.json["route"] == NASTY


def test_a_line_tells_the_request_it_belongs_to(current: Current) -> None:
    log = Log("json")
    log.logger.info("at work")
    told = log.json
    assert told["request_id"] == "an-id"
    assert told["trace_id"] == "f" * 32
    assert told["user_id"] == "7"
    assert told["message"] == "at work"
    text = Log("text")
    text.logger.info("at work")
    assert "INFO tests.log [an-id] at work" in text.lines[0]


def test_a_thread_that_works_for_a_request_tells_it_too(current: Current) -> None:
    log = Log("json")
    run = copy_context().run
    thread = threading.Thread(target=run, args=(log.logger.info, "from a thread"))
    thread.start()
    thread.join()
    assert log.json["request_id"] == "an-id"


def test_outside_of_requests_there_is_none() -> None:
    log = Log("json")
    log.logger.info("idle")
    assert (log.json["request_id"], log.json["trace_id"], log.json["user_id"]) == (None, None, None)


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    # A test that has read the application has said so before, to a module that pytest has reset.
    logging.captureWarnings(False)
    logs.report_all()
    yield
    logging.captureWarnings(False)


def test_a_warning_goes_to_the_log(caplog: pytest.LogCaptureFixture, reported: None) -> None:
    warnings.showwarning("odd", RuntimeWarning, "here.py", 7)
    (record,) = [record for record in caplog.records if record.name == "py.warnings"]
    assert "here.py:7: RuntimeWarning: odd" in record.getMessage()


def test_what_ends_a_thread_goes_to_the_log(
    caplog: pytest.LogCaptureFixture, reported: None
) -> None:
    thread = threading.Thread(target=lambda: 1 / 0, name="divider")
    thread.start()
    thread.join()
    (record,) = [record for record in caplog.records if record.name == "config.logs"]
    assert record.getMessage() == "The thread divider ended"
    assert record.exc_info and record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "ERROR", "critical"])
def test_no_library_says_more_than_the_level_asks_for(level: str) -> None:
    made = logs.configuration(level=level, form="json")
    numbers = logging.getLevelNamesMapping()
    for name in logs.QUIET:
        told = numbers[made["loggers"][name]["level"]]
        assert told >= max(numbers[level.upper()], numbers[logs.QUIET[name]])


def test_the_mistakes_of_callers_are_told_by_the_access_log_alone(
    caplog: pytest.LogCaptureFixture, client: Client, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "tests.config.failing_urls"
    for path in ("/api/nowhere", "/api/plain/forbidden", "/api/plain/suspicious"):
        assert client.get(path).status_code >= 400
    client.raise_request_exception = False
    assert client.get("/api/plain/bug").status_code == 500
    told = [record for record in caplog.records if record.name.startswith("django.request")]
    assert [record.getMessage() for record in told] == ["Internal Server Error: /api/plain/bug"]


@pytest.mark.parametrize(
    ("level", "form", "at_fault"),
    [("LOUD", "json", "LOG_LEVEL"), ("INFO", "xml", "LOG_FORMAT")],
)
def test_a_wrong_setting_is_named(level: str, form: str, at_fault: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=at_fault):
        logs.configuration(level=level, form=form)
