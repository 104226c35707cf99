"""Retry-After (RFC 9110, 10.2.3) in the errors of HTTP client libraries, without importing one."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?")


def retry_after(error: object, *, now: datetime) -> float | None:
    """Seconds that the response, which the error has or is, asks to wait."""
    response = getattr(error, "response", error)
    text = _header(getattr(response, "headers", None))
    if SECONDS.fullmatch(text):
        return float(text)
    moment = _moment(text)
    return max((moment - now).total_seconds(), 0.0) if moment else None


def _header(headers: Any) -> str:
    find = getattr(headers, "get", None)
    text = find("Retry-After") if callable(find) else None
    return text.strip() if isinstance(text, str) else ""


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    # HTTP knows no other zone, and asctime, the oldest of its formats, does not name it.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
