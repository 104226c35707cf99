"""The Ed25519 keys that sign tokens, their public form, and the pepper for digests at rest."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes

from .conf import conf


@dataclass(frozen=True, slots=True, eq=False)
class KeyRing:
    """Keys by ``kid``: one signs, all verify."""

    kid: str
    private: Ed25519PrivateKey
    public: Mapping[str, Ed25519PublicKey]


def ring() -> KeyRing:
    return ring_of(tuple(conf().signing_keys) or (derived("accounts token signing"),))


@lru_cache(maxsize=8)
def ring_of(seeds: tuple[bytes, ...]) -> KeyRing:
    pairs = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
    public = {thumbprint(pair.public_key()): pair.public_key() for pair in pairs}
    return KeyRing(next(iter(public)), pairs[0], public)


def thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638: the digest of the key's required members in lexical order, without spaces."""
    return _b64(hashlib.sha256(json.dumps(_members(key), separators=(",", ":")).encode()).digest())


def jwks(keys: KeyRing) -> dict[str, list[dict[str, str]]]:
    return {
        "keys": [
            {**_members(key), "kid": kid, "use": "sig", "alg": "EdDSA"}
            for kid, key in keys.public.items()
        ]
    }


def digest(purpose: str, *parts: str) -> str:
    """Keyed digest in hex."""
    return _mac(purpose, *parts).hex()


def derived_id(purpose: str, *parts: str) -> str:
    """Keyed digest in base64url: an identifier that only we can make, and always the same one."""
    return _b64(_mac(purpose, *parts))


def _mac(purpose: str, *parts: str) -> bytes:
    """Purpose and lengths go in, so no two inputs share an encoding."""
    text = "".join(f"{len(part)}:{part}" for part in (purpose, *parts))
    pepper = conf().pepper or derived("accounts pepper")
    return hmac.digest(pepper, text.encode("utf-8", "surrogatepass"), "sha256")


def derived(label: str) -> bytes:
    """A key for projects that configure none: it dies with ``SECRET_KEY``, hence the warning check.

    The labels differ, so knowing one derived key tells nothing about the other.
    """
    return _hkdf(force_bytes(settings.SECRET_KEY), label.encode())


@lru_cache(maxsize=8)
def _hkdf(secret: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=label).derive(secret)


def _members(key: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _b64(key.public_bytes_raw())}


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
