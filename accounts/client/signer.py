"""Requests signed with a shared key, by RFC 9421 in the profile that the service asks for."""

import hashlib
import hmac
import re
import secrets
import time
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

import httpx2

SECRET_BYTES = 32
LABEL, TAG = "sig1", "mainstay"
# Covered where a request has them. With another key for the order it would be another order.
ORDER_KEY = "idempotency-key"
# Of RFC 3986, section 3.3: all that may stand in a path as it is, but for unreserved characters.
PATH_SAFE = "/:@!$&'()*+,;="
DEFAULT_PORTS = {"http": 80, "https": 443}


class Signer(httpx2.Auth):
    """The ``auth`` of a request or a client of httpx2, and of requests and httpx.

    Each request that is sent has a nonce of its own: whoever sends one again signs it again.
    """

    requires_request_body = True

    def __init__(self, keyid: str, secret: str) -> None:
        """``secret`` as it was shown, in base64url."""
        if not re.fullmatch(r"[\w-]{1,64}", keyid, re.ASCII):
            raise ValueError(f"{keyid!r} is not the id of a key")
        self.keyid = keyid
        self._secret = urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
        if len(self._secret) != SECRET_BYTES:
            raise ValueError(f"the secret is not {SECRET_BYTES} bytes in base64url")

    def sign(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        created: int | None = None,
        nonce: str | None = None,
    ) -> dict[str, str]:
        """The headers to add. ``headers`` are those that the request has already."""
        present = {name.lower(): value.strip() for name, value in (headers or {}).items()}
        added = _of_body(body, present)
        fields = present | {name.lower(): value for name, value in added.items()}
        values = _derived(method, urlsplit(url), fields.get("host", ""))
        names = (*(("content-type", "content-digest") if body else ()), ORDER_KEY)
        values |= {name: fields[name] for name in names if name in fields}
        parameters = "({});created={};keyid={};alg={};nonce={};tag={}".format(
            " ".join(map(_quoted, values)),
            int(time.time()) if created is None else created,
            *map(_quoted, (self.keyid, "hmac-sha256", nonce or secrets.token_urlsafe(24), TAG)),
        )
        mac = hmac.digest(self._secret, signature_base(values, parameters).encode(), "sha256")
        return added | {
            "Signature-Input": f"{LABEL}={parameters}",
            "Signature": f"{LABEL}=:{b64encode(mac).decode()}:",
        }

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response]:
        self._add_to(request, request.content)
        yield request

    def __call__(self, request: Any) -> Any:
        """How requests and httpx call it."""
        body = request.body if hasattr(request, "body") else request.content
        match body:
            case None:
                body = b""
            case str():
                body = body.encode()
            case bytes():
                pass
            case _:
                raise TypeError("a stream cannot be signed: give the body as bytes")
        self._add_to(request, body)
        return request

    def _add_to(self, request: Any, body: bytes) -> None:
        added = self.sign(request.method, str(request.url), body=body, headers=request.headers)
        request.headers.update(added)


def signature_base(values: Mapping[str, str], parameters: str) -> str:
    """RFC 9421, section 2.5."""
    lines = [f"{_quoted(name)}: {value}" for name, value in values.items()]
    return "\n".join([*lines, f'"@signature-params": {parameters}'])


def path(sent: str) -> str:
    """As the service routes on it: decoded, and encoded anew only where it must be.

    Raises ValueError for what is not UTF-8.
    """
    return quote(unquote_to_bytes(sent).decode(), PATH_SAFE) or "/"


def authority(url: SplitResult, host: str = "") -> str:
    """In lower case, without the port that its scheme implies. ``host`` is a Host header."""
    name = (host or url.netloc).rpartition("@")[2].lower()
    return name.removesuffix(f":{DEFAULT_PORTS.get(url.scheme, '')}")


def _derived(method: str, url: SplitResult, host: str) -> dict[str, str]:
    return {
        "@method": method.upper(),
        "@authority": authority(url, host),
        "@path": path(url.path),
        "@query": f"?{url.query}",
    }


def _of_body(body: bytes, present: Mapping[str, str]) -> dict[str, str]:
    if not body:
        return {}
    digest = b64encode(hashlib.sha256(body).digest()).decode()
    kind = {} if "content-type" in present else {"Content-Type": "application/json"}
    return kind | {"Content-Digest": f"sha-256=:{digest}:"}


def _quoted(text: str) -> str:
    return f'"{text}"'
