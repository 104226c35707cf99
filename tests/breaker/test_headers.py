import urllib.error
from datetime import UTC, datetime
from email.message import Message
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from breaker import default_retry_after
from breaker.headers import retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def of_httpx(text: str) -> Exception:
    request = httpx2.Request("GET", "https://partner.example")
    response = httpx2.Response(503, headers={"retry-after": text}, request=request)
    return httpx2.HTTPStatusError("503", request=request, response=response)


def of_urllib(text: str) -> Exception:
    headers = Message()
    headers["Retry-After"] = text
    return urllib.error.HTTPError("https://partner.example", 503, "", headers, None)


@pytest.mark.parametrize("error", [of_httpx, of_urllib])
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 11:59:00 GMT", 0.0),
        ("Thu Jan  1 12:01:00 2026", 60.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("9" * 30, None),
        ("Thu, 99 Jan 2026 12:01:00 GMT", None),
    ],
)
def test_what_the_response_asks_for(error: Any, text: str, seconds: float | None) -> None:
    assert retry_after(error(text), now=NOW) == seconds


@pytest.mark.parametrize(
    "error",
    [
        Exception(),
        SimpleNamespace(response=None),
        SimpleNamespace(response={"headers": {"Retry-After": "5"}}),
        SimpleNamespace(headers=[("Retry-After", "5")]),
        SimpleNamespace(headers={"Retry-After": 5}),
        SimpleNamespace(headers={}),
    ],
    ids=str,
)
def test_what_asks_for_nothing(error: object) -> None:
    assert retry_after(error, now=NOW) is None


def test_the_errors_own_word_comes_first() -> None:
    error = of_httpx("7")
    assert default_retry_after(error) == 7
    error.retry_after = 3  # type: ignore[attr-defined]
    assert default_retry_after(error) == 3
