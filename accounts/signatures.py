"""One strict profile of RFC 9421: which signed requests are looked at, and whether they hold.

The profile: one signature with our tag, labelled ``sig1``, hmac-sha256, over method, authority,
path and query, and with a body over its type and its digest (RFC 9530). More header fields may be
covered. Not the scheme, and so not the target URI: TLS ends at the proxy.

``@path`` is what is routed on, percent-encoded anew where it must be and nowhere else: a server
gateway hands over decoded paths, so how a path was spelled on the wire cannot be known, and two
spellings of it are one request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import http_sf
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import HMAC_SHA256

TAG = "mainstay"
LABEL = "sig1"
ALWAYS = frozenset({"@method", "@authority", "@path", "@query"})
WITH_BODY = frozenset({"content-type", "content-digest"})
# Seconds by which a signature may be older or, with clocks that differ, younger than now.
OLDEST, AHEAD = 300, 60
NONCE_LENGTHS = range(22, 65)
LONGEST_KEYID = 64
LONGEST_HEADER = 4_096
# Of RFC 3986, section 3.3: all that may stand in a path as it is, but for unreserved characters.
PATH_SAFE = "/:@!$&'()*+,;="

Parameters = Mapping[str, Any]
Components = list[tuple[Any, Parameters]]


class Refused(Exception):
    """Why, for the log alone; ``keyid`` as given, if it was read."""

    def __init__(self, cause: str, *, keyid: str = "") -> None:
        super().__init__(cause)
        self.cause, self.keyid = cause, keyid


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request: ``path`` as routed on, decoded; ``query`` as sent, without its question mark;
    names of ``headers`` found in lower case."""

    method: str
    scheme: str
    authority: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{quote(self.path, PATH_SAFE)}?{self.query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a signature says of itself, to be believed once it is verified."""

    keyid: str
    nonce: str


def claim(message: Message, *, now: float) -> Claim:
    """Raises Refused unless the one signature with our tag fits the profile.

    ``now`` in Unix seconds.
    """
    if "content-encoding" in message.headers:
        raise Refused("the body is encoded")
    covered, given = _ours(message)
    keyid, nonce = _text(given, "keyid"), _text(given, "nonce")
    fault = (
        (not 0 < len(keyid) <= LONGEST_KEYID and "no proper keyid")
        or (len(nonce) not in NONCE_LENGTHS and "no proper nonce")
        or _fault_of_time(given, now)
        or _fault_of_coverage(covered, with_body=bool(message.body))
    )
    if fault:
        raise Refused(fault, keyid=keyid[:LONGEST_KEYID])
    return Claim(keyid=keyid, nonce=nonce)


def verify(message: Message, claimed: Claim, *, secret: bytes) -> None:
    """That the signature was made with ``secret`` and the body fits its digest, or Refused.

    For what ``claim`` let through only.
    """
    verifier = _Verifier(
        signature_algorithm=HMAC_SHA256,
        key_resolver=MappingKeyResolver(public_keys={claimed.keyid: secret}, private_keys={}),
    )
    try:
        verifier.verify(message, expect_tag=TAG, max_age=None, body=message.body)
    except (HTTPMessageSignaturesException, ValueError) as error:
        raise Refused(str(error), keyid=claimed.keyid) from error


class _Verifier(HTTPMessageVerifier):  # type: ignore[misc]  # seen as untyped
    def validate_created_and_expires(self, *_: Any, **__: Any) -> None:
        """Judged by ``claim``, which knows what time it is to be."""


def _ours(message: Message) -> tuple[Components, Parameters]:
    names = ("signature-input", "signature")
    told, _ = fields = [message.headers.get(name, "") for name in names]
    if max(map(len, fields)) > LONGEST_HEADER:
        raise Refused("a signature header is too long")
    try:
        signatures: Any = http_sf.parse(
            told.encode(), tltype="dictionary", on_duplicate_key=_refuse
        )
    except ValueError as error:
        raise Refused(f"Signature-Input: {error}") from error
    ours = {label: each for label, each in signatures.items() if each[1].get("tag") == TAG}
    if list(ours) != [LABEL] or not isinstance(ours[LABEL][0], list):
        raise Refused(f"not one signature {LABEL} with our tag, but {len(ours)}")
    covered, given = ours[LABEL]
    return covered, given


def _refuse(name: str, context: str) -> None:
    raise ValueError(f"{name} appears twice in the {context}")


def _text(given: Parameters, name: str) -> str:
    """Nothing for what is no string: a token, a number."""
    value = given.get(name)
    return value if type(value) is str else ""


def _fault_of_time(given: Parameters, now: float) -> str:
    created, expires = given.get("created"), given.get("expires", int(now) + 1)
    if type(created) is not int or type(expires) is not int:
        return "created or expires is no integer"
    if not now - OLDEST <= created <= now + AHEAD:
        return f"created {now - created:+.0f} seconds ago"
    return "expired" if expires <= now else ""


def _fault_of_coverage(covered: Components, *, with_body: bool) -> str:
    names = {name for name, parameters in covered if type(name) is str and not parameters}
    if len(names) < len(covered):
        return "a component is repeated, altered or no name"
    if foreign := {name for name in names - ALWAYS if name.startswith("@")}:
        return f"{min(foreign)} is covered"
    if missing := (ALWAYS | WITH_BODY if with_body else ALWAYS) - names:
        return f"{min(missing)} is not covered"
    return ""
