"""Signatures made by hand, apart from what the product makes and checks them with."""

import hmac
from base64 import b64encode, urlsafe_b64decode
from hashlib import sha256, sha512
from typing import Any

KEYID = "k" * 22
SECRET = bytes(range(32))
NONCE = "n" * 22
NOW = 1_700_000_000


def header(value: Any) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'


def digest(body: bytes, algorithm: str = "sha-256") -> str:
    made = {"sha-256": sha256, "sha-512": sha512}[algorithm](body).digest()
    return f"{algorithm}=:{b64encode(made).decode()}:"


def signature(
    values: dict[str, str], *, secret: bytes | str = SECRET, label: str = "sig1", **parameters: Any
) -> dict[str, str]:
    """RFC 9421, sections 2.5 and 3.1. A parameter that is None is left out."""
    key = urlsafe_b64decode(secret + "=") if isinstance(secret, str) else secret
    given = {"created": NOW, "keyid": KEYID, "nonce": NONCE, "tag": "mainstay"} | parameters
    told = "".join(f";{name}={header(each)}" for name, each in given.items() if each is not None)
    names = " ".join(f'"{name}"' for name in values)
    lines = [f'"{name}": {value}' for name, value in values.items()]
    base = "\n".join([*lines, f'"@signature-params": ({names}){told}'])
    mac = b64encode(hmac.digest(key, base.encode(), "sha256")).decode()
    return {"signature-input": f"{label}=({names}){told}", "signature": f"{label}=:{mac}:"}
