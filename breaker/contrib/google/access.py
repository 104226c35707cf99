"""Could Google be called, if anybody wanted to? Found out without a call that costs money."""

import logging
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import google.auth
import httpx2
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request

from .conf import Settings

logger = logging.getLogger(__name__)

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# Seconds for each of: the token endpoint, a connection, its TLS handshake.
SECONDS = 2.0
# Seconds for which a token is proof that there will be another one.
PROVEN_SECONDS = 300.0
MULTI_REGIONS = ("us", "eu")


class TokenRefused(Exception):
    """``code`` is the HTTP status of the answer; None where there is nothing to ask with."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(f"no token: {code or 'no credentials'}")
        self.code = code


class TokenUnreached(OSError):
    """Who gives out tokens did not answer."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    host: str
    port: int
    tls: bool

    def reach(self) -> None:
        """Raises OSError. The lookup of the name has no limit but the resolver's."""
        with socket.create_connection((self.host, self.port), timeout=SECONDS) as plain:
            if self.tls:
                _context().wrap_socket(plain, server_hostname=self.host).close()


def endpoint(settings: Settings) -> Endpoint:
    """Where calls go first: a proxy, if there is one on the way."""
    if not settings.project:
        return Endpoint("127.0.0.1", settings.simulator_port, tls=False)
    host = hostname(settings.location)
    proxy = None if proxy_bypass(host) else getproxies().get("https")
    if proxy:
        parts = urlsplit(proxy)
        return Endpoint(parts.hostname or "", parts.port or 80, tls=False)
    return Endpoint(host, 443, tls=True)


def hostname(location: str) -> str:
    """As the SDK has it."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in MULTI_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    """What it takes a while to read are the authorities that the SDK trusts too."""
    return httpx2.create_ssl_context()


class Access:
    """One for all who ask, and one at a time: they would all meet the same."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._credentials: Any = None
        self._until = float("-inf")
        self._told = ""

    def token_seconds(self) -> float | None:
        """What is left of the life of a token, if that has an end.

        Raises TokenRefused, TokenUnreached.
        """
        with self._lock:
            try:
                self._prove()
            except GoogleAuthError as error:
                self._credentials = None
                self._tell(error)
                if isinstance(error, TransportError):
                    raise TokenUnreached("no token") from error
                raise TokenRefused from error
            except TokenRefused as error:
                self._tell(error)
                raise
            self._told = ""
            return _left(self._credentials)

    def _prove(self) -> None:
        if self._credentials is None:
            self._until = float("-inf")
            self._credentials, _ = google.auth.default(scopes=[SCOPE])
        if monotonic() >= self._until:
            self._credentials.refresh(_asked_once)
            self._until = monotonic() + PROVEN_SECONDS

    def _tell(self, error: Exception) -> None:
        if (text := str(error)) != self._told:
            self._told = text
            logger.warning("Google gives no token: %s", text)


def _asked_once(url: str, method: str = "GET", **kwargs: Any) -> Any:
    """google-auth would ask three times, with pauses, and wait for two minutes each time."""
    request: Any = Request()
    answer = request(url=url, method=method, **{**kwargs, "timeout": SECONDS})
    if answer.status >= 400:
        raise TokenRefused(answer.status)
    return answer


def _left(credentials: Any) -> float | None:
    if credentials.expiry is None:
        return None
    # google-auth keeps it without a zone.
    expiry: datetime = credentials.expiry.replace(tzinfo=UTC)
    return (expiry - datetime.now(UTC)).total_seconds()
