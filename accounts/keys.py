"""The keys that sign tokens, their public form, and the pepper for digests at rest."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes

from . import keyring
from .conf import conf
from .keyring import Key, State

# Seconds for which others may keep the published keys without looking again.
PUBLISHED_FOR = 300


class Algorithm(StrEnum):
    EDDSA = "EdDSA"
    HS256 = "HS256"
    """For one service that nobody else verifies the tokens of: its key cannot be published."""


@dataclass(frozen=True, slots=True, eq=False)
class KeyRing:
    """Keys by ``kid``: one signs, all verify until their end."""

    algorithm: Algorithm
    kid: str
    private: Ed25519PrivateKey | bytes
    public: Mapping[str, Ed25519PublicKey | bytes]
    keys: Mapping[str, Key]

    def verifies(self, kid: str, now: datetime) -> bool:
        return kid in self.keys and self.keys[kid].verifies(now)


def ring() -> KeyRing:
    entries = tuple(conf().signing_keys) or (derived("accounts token signing"),)
    return ring_of(entries, conf().algorithm)


@lru_cache(maxsize=8)
def ring_of(
    entries: tuple[bytes | Key, ...], algorithm: Algorithm | str = Algorithm.EDDSA
) -> KeyRing:
    keys = keyring.ring(entries)
    pairs = [_pair(key.secret, Algorithm(algorithm)) for key in keys]
    kids = [thumbprint(public) for _, public in pairs]
    (signing,) = (place for place, key in enumerate(keys) if key.state is State.CURRENT)
    return KeyRing(
        algorithm=Algorithm(algorithm),
        kid=kids[signing],
        private=pairs[signing][0],
        public={kid: public for kid, (_, public) in zip(kids, pairs, strict=True)},
        keys=dict(zip(kids, keys, strict=True)),
    )


def _pair(
    secret: bytes, algorithm: Algorithm
) -> tuple[Ed25519PrivateKey, Ed25519PublicKey] | tuple[bytes, bytes]:
    if algorithm is Algorithm.HS256:
        return secret, secret
    private = Ed25519PrivateKey.from_private_bytes(secret)
    return private, private.public_key()


def kid_of(key: Key) -> str:
    return thumbprint(_pair(key.secret, Algorithm(conf().algorithm))[1])


def thumbprint(key: Ed25519PublicKey | bytes) -> str:
    """RFC 7638: the digest of the key's required members in lexical order, without spaces."""
    return _b64(hashlib.sha256(json.dumps(_members(key), separators=(",", ":")).encode()).digest())


def jwks(ring: KeyRing, *, now: datetime) -> dict[str, list[dict[str, str]]]:
    if ring.algorithm is Algorithm.HS256:
        return {"keys": []}
    return {
        "keys": [
            {**_members(key), "kid": kid, "use": "sig", "alg": ring.algorithm}
            for kid, key in ring.public.items()
            if ring.verifies(kid, now)
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


def _members(key: Ed25519PublicKey | bytes) -> dict[str, str]:
    if isinstance(key, bytes):
        return {"k": _b64(key), "kty": "oct"}
    return {"crv": "Ed25519", "kty": "OKP", "x": _b64(key.public_bytes_raw())}


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
