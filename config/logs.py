"""Logging set-up: one line a record, with the request it belongs to."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured

request_id: ContextVar[str] = ContextVar("request_id", default="-")


class RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class Defects(logging.Filter):
    """Of what Django says about answers, only exceptions: the access log has every status."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": request_id.get(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configuration(*, level: str, form: str) -> dict[str, Any]:
    if level.upper() not in logging.getLevelNamesMapping():
        raise ImproperlyConfigured(f"LOG_LEVEL: {level!r} is not a level such as INFO")
    if form not in ("json", "text"):
        raise ImproperlyConfigured(f"LOG_FORMAT: {form!r} is neither json nor text")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "request_id": {"()": "config.logs.RequestId"},
            "defects": {"()": "config.logs.Defects"},
        },
        "formatters": {
            "json": {"()": "config.logs.JsonLines"},
            "text": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": form,
                "filters": ["request_id"],
            },
        },
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            "django.request": {"filters": ["defects"]},
            # A wrong Host is the caller's mistake, and anybody can make it as often as he likes.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # The SDK logs whole requests, prompts included, at INFO and below.
            "google_genai": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
        },
    }
