"""What the server's answers mean."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from .errors import ClientError
from .tokens import Tokens

# Codes of a 401 that a fresh access token may cure; a wrong password, for one, is not among them.
STALE = {"token_expired", "token_revoked"}


def granted(response: httpx2.Response, *, asked_at: float) -> Tokens:
    """``asked_at`` is this host's wall clock. Raises ValueError for what is no token reply."""
    body = document(response)
    match body:
        case {"access": str(access), "refresh": str(refresh), "access_expires_at": str(end)}:
            return Tokens(
                access=access,
                refresh=refresh,
                access_expires_at=datetime.fromisoformat(end).timestamp(),
                ahead=_ahead(response, asked_at),
            )
    raise ValueError("the answer holds no tokens")


def stale(response: httpx2.Response) -> bool:
    """Whether a 401, read to its end, is about the access token."""
    challenge = response.headers.get("WWW-Authenticate", "")
    return document(response).get("code") in STALE or 'error="invalid_token"' in challenge


def refusal(kind: type[ClientError], response: httpx2.Response) -> ClientError:
    body = document(response)
    code, detail = body.get("code"), body.get("detail")
    return kind(
        detail if isinstance(detail, str) else f"The server answered {response.status_code}.",
        status=response.status_code,
        code=code if isinstance(code, str) else "",
        retry_after=retry_after(response),
    )


def retry_after(response: httpx2.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def document(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object of a response, empty if it is something else."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _ahead(response: httpx2.Response, asked_at: float) -> float | None:
    try:
        return parsedate_to_datetime(response.headers["Date"]).timestamp() - asked_at
    except (KeyError, ValueError):
        return None
