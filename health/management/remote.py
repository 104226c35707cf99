"""/health/detailed of a running server, as its own document."""

import json
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from health.engine.direct import within
from health.verdict import Status


class NoAnswer(Exception):
    """The server could not be asked, or did not speak health."""


def ask(url: str, *, timeout: float, token: str = "") -> dict[str, Any]:
    """Of ``url`` only scheme, host and port count unless it has a path of its own.

    Raises NoAnswer.
    """
    answer = within(timeout, {url: partial(_fetch, url, timeout, token)}).get(url)
    if answer is None:
        raise NoAnswer(f"{url} did not answer within {timeout:g} s")
    if isinstance(answer, Exception):
        raise NoAnswer(f"{url} did not answer: {answer}") from answer
    return answer


def _fetch(url: str, timeout: float, token: str) -> dict[str, Any] | Exception:
    parts = urlsplit(url)
    connect = {"http": HTTPConnection, "https": HTTPSConnection}.get(parts.scheme)
    if connect is None or not parts.hostname:
        return ValueError("not an http or https address")
    connection = connect(parts.hostname, parts.port, timeout=timeout)
    try:
        path = parts.path.rstrip("/") or "/health/detailed"
        headers = {"Accept": "application/health+json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request("GET", path, headers=headers)
        return _document(connection.getresponse().read())
    except (OSError, HTTPException, ValueError) as error:
        return error
    finally:
        connection.close()


def _document(body: bytes) -> dict[str, Any]:
    """Raises ValueError for what is no health document, in whatever way."""
    try:
        document: dict[str, Any] = json.loads(body)
        rows = chain.from_iterable(document.get("checks", {}).values())
        for word in (document["status"], *(row["status"] for row in rows)):
            Status(word)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError("this is no health document") from None
    return document
