"""Tokens as an attacker, a bug or another service might make them."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from accounts import keys


def encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def payload(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return dict(json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def forged(
    payload: Any, header: dict[str, Any] | None = None, *, key: Ed25519PrivateKey | None = None
) -> str:
    """Signed by our own key unless another is given; ``header`` replaces ours."""
    given = {"alg": "EdDSA", "kid": keys.ring().kid, "typ": "JWT"} if header is None else header
    text = f"{encoded(json.dumps(given).encode())}.{encoded(json.dumps(payload).encode())}"
    return f"{text}.{encoded((key or keys.ring().private).sign(text.encode()))}"


def hs256(payload: Any, secret: bytes, **header: Any) -> str:
    given = {"alg": "HS256", "typ": "JWT", **header}
    text = f"{encoded(json.dumps(given).encode())}.{encoded(json.dumps(payload).encode())}"
    return f"{text}.{encoded(hmac.digest(secret, text.encode(), sha256))}"
