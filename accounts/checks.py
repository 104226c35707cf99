from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils.encoding import force_bytes

from . import keyring
from .conf import Settings, conf
from .keyring import Key
from .keys import Algorithm


@register(Tags.security)
def check_settings(**_: Any) -> list[CheckMessage]:
    known = {field.name.upper() for field in fields(Settings)}
    unknown = sorted(getattr(settings, "ACCOUNTS", {}).keys() - known)
    if unknown:
        return [Error(f"ACCOUNTS has no setting {name!r}.", id="accounts.E001") for name in unknown]
    return [*_wrong_values(conf()), *_derived_keys(conf())]


def _wrong_values(given: Settings) -> Iterator[CheckMessage]:
    are_keys = _are_signing_keys(given.signing_keys, given.algorithm)
    rules = {
        "CACHE": (given.cache in settings.CACHES, "an alias of CACHES"),
        "ALGORITHM": (given.algorithm in list(Algorithm), "EdDSA or HS256"),
        "SIGNING_KEYS": (are_keys, "Ed25519 seeds of 32 bytes, one of which signs"),
        "KEY_FILE": (isinstance(given.key_file, Path | None), "a Path"),
        "PEPPER": (given.pepper == b"" or _is_key(given.pepper), "32 bytes"),
        "ENCRYPTION_KEYS": (_are_keys(given.encryption_keys), "a list of 32-byte keys"),
        "ISSUER": (_is_name(given.issuer), "a name of 1 to 255 characters"),
        "AUDIENCE": (_is_name(given.audience), "a name of 1 to 255 characters"),
        "ACCESS_LIFETIME": (_in_range(given.access_lifetime, 1, 86_400), "1 to 86400 seconds"),
        "REFRESH_LIFETIME": (_in_range(given.refresh_lifetime, 1, 10**9), "seconds above 0"),
        "REFRESH_OVERLAP": (_in_range(given.refresh_overlap, 0, 60), "0 to 60 seconds"),
        "REFRESH_GRACE": (_in_range(given.refresh_grace, 0, 60), "0 to 60 seconds"),
        "MAX_SESSIONS": (_is_number(given.max_sessions), "a whole number above 0"),
        "LOCKOUT_TRIES": (_is_count(given.lockout_tries, 1, 1_000), "1 to 1000 tries"),
        "LOCKOUT_SECONDS": (_is_count(given.lockout_seconds, 1, 10**7), "1 to 10000000 seconds"),
        "LOCKOUT_LONGEST": (
            _is_count(given.lockout_longest, 1, 10**7)
            and given.lockout_longest >= given.lockout_seconds,
            "LOCKOUT_SECONDS to 10000000 seconds",
        ),
        "LOCKOUT_QUIET": (_is_count(given.lockout_quiet, 60, 10**7), "60 to 10000000 seconds"),
        "DEVICE_LIFETIME": (_is_count(given.device_lifetime, 0, 10**9), "0 to 10**9 seconds"),
        "LOGIN_RATE": (_is_count(given.login_rate, 20, 10**6), "20 to 1000000 logins a minute"),
        "FAILURE_RATE": (_is_count(given.failure_rate, 20, 10**6), "20 to 1000000 a minute"),
        "PARALLEL_HASHES": (_is_count(given.parallel_hashes, 1, 1_000), "1 to 1000"),
        "AUDIT_DAYS": (_is_count(given.audit_days, 1, 36_500), "1 to 36500 days"),
    }
    if given.algorithm == Algorithm.HS256:
        dedicated = bool(given.signing_keys) and are_keys and _are_dedicated(given)
        rules["SIGNING_KEYS"] = dedicated, "secrets of 32 bytes or more that serve nothing else"
    for name, (right, rule) in rules.items():
        if not right:
            yield Error(f"ACCOUNTS[{name!r}] must be {rule}.", id="accounts.E002")


def _derived_keys(given: Settings) -> Iterator[CheckMessage]:
    for name, value, number in (
        ("SIGNING_KEYS", given.signing_keys, 1),
        ("PEPPER", given.pepper, 2),
        ("ENCRYPTION_KEYS", given.encryption_keys, 4),
    ):
        if not value:
            loss = "leaves sealed values unreadable" if number == 4 else "ends every login"
            yield Warning(
                f"ACCOUNTS[{name!r}] is not set and so derived from SECRET_KEY.",
                hint=f"It then changes with SECRET_KEY, which {loss}. Give it its own.",
                id=f"accounts.W00{number}",
            )


def _is_key(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 32


def _are_signing_keys(value: object, algorithm: str) -> bool:
    if not isinstance(value, Sequence):
        return False
    secrets = [key.secret if isinstance(key, Key) else key for key in value]
    longest = 4096 if algorithm == Algorithm.HS256 else 32
    right = all(isinstance(secret, bytes) and 32 <= len(secret) <= longest for secret in secrets)
    return right and (not secrets or _is_ring(value))


def _is_ring(keys: Sequence[bytes | Key]) -> bool:
    try:
        keyring.ring(keys)
    except ValueError:
        return False
    return True


def _are_dedicated(given: Settings) -> bool:
    others = {force_bytes(settings.SECRET_KEY), given.pepper, *given.encryption_keys}
    return others.isdisjoint(key.secret for key in keyring.ring(given.signing_keys))


def _are_keys(value: object) -> bool:
    return isinstance(value, Sequence) and all(_is_key(key) for key in value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable()


def _is_number(value: object) -> bool:
    return type(value) is int and value > 0


def _is_count(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _in_range(value: object, least: float, most: float) -> bool:
    return type(value) in (int, float) and least <= value <= most  # type: ignore[operator]
