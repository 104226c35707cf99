"""The ``ACCOUNTS`` settings dict, read anew on each call so that overriding it works."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from .keyring import Key


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Durations are seconds, keys 32 bytes each."""

    cache: str = "default"
    signing_keys: Sequence[bytes | Key] = field(default=(), repr=False)
    """Ed25519 seeds: the first signs, all verify. Or ``keyring.parse`` of a text."""
    key_file: Path | None = None
    """The file that holds them as ``TOKEN_SIGNING_KEYS=…``, for ``rotate-keys`` to change."""
    algorithm: str = "EdDSA"
    """Or HS256, for one service alone: its keys are then secrets of 32 bytes or more."""
    pepper: bytes = field(default=b"", repr=False)
    encryption_keys: Sequence[bytes] = field(default=(), repr=False)
    issuer: str = "mainstay"
    audience: str = "mainstay"
    access_lifetime: int = 3_600
    refresh_lifetime: int = 30 * 86_400
    """The life of a login session: rotation never moves its end."""
    refresh_overlap: float = 1.0
    """How long after its rotation a refresh token still counts as a parallel call, not a replay."""
    refresh_grace: float = 0
    """How long after its rotation it still brings the pair that it brought, until that is used."""
    max_sessions: int = 100
    """Of one user at a time; one more login ends the session that was idle longest."""
    lockout_tries: int = 5
    lockout_seconds: int = 15 * 60
    """How long the first lock lasts; each further one lasts twice as long."""
    lockout_longest: int = 86_400
    lockout_quiet: int = 86_400
    """After so long without a try the failures before are forgotten."""
    device_lifetime: int = 180 * 86_400
    """How long an owner's device is known after a login, and passes a lock that strangers caused.
    0 switches device tokens off."""
    login_rate: int = 120
    """Logins a minute from one address, or from one /64 of IPv6; four times as many from a /48."""
    failure_rate: int = 30
    """Of these, how many may fail. Too few, and nobody gets to see that an account is locked."""
    parallel_hashes: int = 4
    """Password checks at a time in one process, 46 MiB each."""
    audit_days: int = 90


def conf() -> Settings:
    given = getattr(settings, "ACCOUNTS", {})
    return Settings(**{key.lower(): value for key, value in given.items()})
