"""simplejwt's token backend over a key ring: one algorithm, each signature checked once."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import jwt
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

from .keys import KeyRing

MAX_LENGTH = 4_096
REMEMBERED = 4_096

# Which key signed it, and what.
Proven = tuple[str, dict[str, Any]]


class KeyRingBackend(TokenBackend):
    """Decoding proves who made the payload; what it says is for the token class to judge."""

    def __init__(self, ring: KeyRing) -> None:
        super().__init__(ring.algorithm)
        self.ring = ring
        self._verified = Remembered(REMEMBERED)

    def encode(self, payload: dict[str, Any]) -> str:
        headers = {"kid": self.ring.kid}
        return jwt.encode(
            payload, self.ring.private, algorithm=self.ring.algorithm, headers=headers
        )

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """Always verifies, whatever ``verify`` says: nothing here wants an unproven payload."""
        raw = _ascii(token)
        key = hashlib.sha256(raw).digest()
        proven = self._verified.get(key)
        if proven is None:
            proven = self._check(raw)
            self._verified.put(key, proven)
        kid, payload = proven
        # Asked each time: a key may retire while its tokens are remembered.
        if not self.ring.verifies(kid, datetime.now(UTC)):
            raise TokenBackendError("Token is invalid")
        return dict(payload)

    def _check(self, raw: bytes) -> Proven:
        try:
            header = jwt.get_unverified_header(raw)
            # An exact set of headers leaves no way in for jku, x5u, jwk, x5c, crit or zip.
            if header.keys() != {"alg", "kid", "typ"} or header["typ"] != "JWT":
                raise TokenBackendError("Token is invalid")
            if not _spelt_alone(raw):
                raise TokenBackendError("Token is invalid")
            kid = header["kid"]
            payload = json.loads(
                jwt.api_jws.decode(raw, self.ring.public[kid], algorithms=[self.ring.algorithm])
            )
        except (jwt.InvalidTokenError, KeyError, ValueError) as error:
            raise TokenBackendError("Token is invalid") from error
        if type(payload) is not dict:
            raise TokenBackendError("Token is invalid")
        return kid, payload


class Remembered:
    """At most ``2 * size`` payloads. Two plain dicts that take turns need neither lock nor order:
    a lost race forgets an entry, which costs one signature check."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._new: dict[bytes, Proven] = {}
        self._old: dict[bytes, Proven] = {}

    def get(self, key: bytes) -> Proven | None:
        if (proven := self._new.get(key)) is not None:
            return proven
        if (proven := self._old.get(key)) is not None:
            self.put(key, proven)
        return proven

    def put(self, key: bytes, proven: Proven) -> None:
        if len(self._new) >= self.size:
            self._old, self._new = self._new, {}
        self._new[key] = proven


@lru_cache(maxsize=8)
def backend_of(ring: KeyRing) -> KeyRingBackend:
    return KeyRingBackend(ring)


def _ascii(token: object) -> bytes:
    match token:
        case str() if len(token) <= MAX_LENGTH and token.isascii():
            return token.encode()
        case bytes() if len(token) <= MAX_LENGTH:
            return token
    raise TokenBackendError("Token is invalid")


def _spelt_alone(raw: bytes) -> bool:
    """Whether the signature, which nothing signs, is written in its one proper way. base64 is read
    with spare bits and padding of many kinds, each of which would be another valid token."""
    signature = raw.rpartition(b".")[2]
    read = urlsafe_b64decode(signature + b"=" * (-len(signature) % 4))
    return urlsafe_b64encode(read).rstrip(b"=") == signature
