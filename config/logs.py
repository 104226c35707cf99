"""Logging set-up: one line a record, with the request it belongs to.

Whoever can put a word into a message must not be able to put a line into the log, or a command
into the terminal of its reader: what does not print is written as an escape.
"""

import json
import logging
import re
import threading
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.current import here

# Controls of both sets, marks and overrides of direction, separators of lines, half characters.
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Which say too much at a level below: prompts, headers, values of queries and of templates, URLs;
# or too often.
QUIET = {
    "google_genai": "WARNING",
    "httpx": "WARNING",
    "httpx2": "WARNING",
    "httpcore": "WARNING",
    "httpcore2": "WARNING",
    "google": "INFO",
    "urllib3": "INFO",
    "django.db.backends": "INFO",
    "django.template": "INFO",
    "psycopg.pool": "WARNING",
    # What callers do wrong they can do as often as they like, and choose the words: a Host, a path.
    # The access log has it all the same, by its status.
    "django.security": "CRITICAL",
}


class Defects(logging.Filter):
    """Of what Django says about answers, only exceptions: the access log has every status."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


class Lines(logging.Formatter):
    """``extra={"fields": {…}}`` adds to a record what programs shall find in its line."""

    def format(self, record: logging.LogRecord) -> str:
        current = here.get()
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": current.id if current else None,
            "trace_id": current.trace.trace_id if current else None,
            "user_id": current.user if current else None,
            "message": record.getMessage(),
        }
        return self.line(told | vars(record).get("fields", {}), self._below(record))

    def line(self, told: dict[str, Any], below: str) -> str:
        raise NotImplementedError

    def _below(self, record: logging.LogRecord) -> str:
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        parts += [self.formatStack(record.stack_info)] if record.stack_info else []
        return "\n".join(parts)


class JsonLines(Lines):
    def line(self, told: dict[str, Any], below: str) -> str:
        if below:
            told["exception"] = below
        return json.dumps(told).replace("\x7f", "\\u007f")


class TextLines(Lines):
    """For people: a line that begins with spaces belongs to the one above it."""

    def line(self, told: dict[str, Any], below: str) -> str:
        head = "{time} {level} {logger} [{request_id}] {message}".format_map(told)
        return "\n    ".join(printable(line) for line in [head, *below.splitlines()])


def printable(text: str) -> str:
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def report_all() -> None:
    """Warnings, and what ends a thread, are told like everything else and not past the log."""
    logging.captureWarnings(True)
    threading.excepthook = _report_thread


def _report_thread(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread else "-"
    error = ended.exc_value or ended.exc_type()
    logging.getLogger(__name__).error("The thread %s ended", name, exc_info=error)


def _higher(one: str, other: str) -> str:
    return max(one, other, key=logging.getLevelNamesMapping().__getitem__)


def configuration(*, level: str, form: str) -> dict[str, Any]:
    if level.upper() not in logging.getLevelNamesMapping():
        raise ImproperlyConfigured(f"LOG_LEVEL: {level!r} is not a level such as INFO")
    if form not in ("json", "text"):
        raise ImproperlyConfigured(f"LOG_FORMAT: {form!r} is neither json nor text")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"defects": {"()": "config.logs.Defects"}},
        "formatters": {
            "json": {"()": "config.logs.JsonLines"},
            "text": {"()": "config.logs.TextLines"},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            # What it says at a level below, of answers up to 499, would cost a record each.
            "django.request": {"filters": ["defects"], "level": _higher("ERROR", level.upper())},
            # The server's own, which would write to stdout in a form of its own.
            "_granian": {"handlers": [], "propagate": True},
            **{name: {"level": _higher(least, level.upper())} for name, least in QUIET.items()},
        },
    }
