"""Bearer tokens of machines, of which the settings hold digests only."""

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256

SHA256_HEX = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


def bears_one_of(digests: Iterable[str], authorization: str) -> bool:
    """Whether this header has one of the tokens; the digests are SHA-256 in hex."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    digest = sha256(token.strip().encode(errors="replace")).hexdigest()
    # Every digest is compared, so that time tells nothing about which one is near.
    return sum(hmac.compare_digest(digest, known.lower()) for known in digests) > 0
