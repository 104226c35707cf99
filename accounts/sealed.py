"""Secrets that must be readable again: AES-256-GCM, bound to the place they are kept in.

An envelope is ``v1.kid.nonce.ciphertext`` in base64url. The place (table, column, row) is its
associated data, so an envelope that was moved to another row does not open there. Nothing seals
or unseals by itself: whoever holds a secret calls ``seal`` and ``unseal`` where it is due.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import models

from . import errors, keys
from .conf import conf

VERSION = "v1"
NONCE_BYTES = 12
KID_LENGTH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """Ciphers by kid: one seals, all unseal."""

    kid: str
    ciphers: Mapping[str, AESGCM]

    @property
    def prefix(self) -> str:
        """What every envelope of the sealing key begins with."""
        return f"{VERSION}.{self.kid}."


def ring() -> Ring:
    return ring_of(tuple(conf().encryption_keys) or (keys.derived("accounts encryption"),))


@lru_cache(maxsize=8)
def ring_of(given: tuple[bytes, ...]) -> Ring:
    ciphers = {kid(key): AESGCM(key) for key in given}
    return Ring(next(iter(ciphers)), ciphers)


def kid(key: bytes) -> str:
    """A name that tells keys apart and nothing about them."""
    return _text(hmac.digest(key, b"accounts encryption kid", "sha256"))[:KID_LENGTH]


def place(table: models.Model | type[models.Model], column: str, key: str) -> str:
    """``key`` is what names the row before it has a primary key."""
    return f"{table._meta.db_table}|{column}|{key}"


def seal(value: bytes, place: str) -> str:
    current = ring()
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = current.ciphers[current.kid].encrypt(nonce, value, place.encode())
    return f"{current.prefix}{_text(nonce)}.{_text(sealed)}"


def unseal(text: str, place: str) -> bytes:
    """Raises SealBroken, and nothing is read, unless this is what was sealed for this place."""
    try:
        version, name, nonce, sealed = text.split(".")
        if version == VERSION:
            return ring().ciphers[name].decrypt(_bytes(nonce), _bytes(sealed), place.encode())
    except KeyError:
        raise errors.SealBroken(f"{place}: no key of the ring is named {name!r}") from None
    except (InvalidTag, ValueError):
        pass
    raise errors.SealBroken(f"{place}: this was not sealed here")


def is_envelope(text: str) -> bool:
    """By its looks; a JWT, which begins with an encoded brace, never looks like one."""
    return text.startswith(f"{VERSION}.")


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
