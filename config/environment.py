"""Typed reads of the environment; each error names the variable at fault."""

import ipaddress
import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from accounts import keyring

SAMPLES = ("changeme", "change-me", "secret", "example", "sample", "django-insecure", "xxxx")
ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[1-9][0-9]{0,4}))?"
)
DEFAULT_PORTS = {"http": "80", "https": "443"}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Env(environ.Env):  # type: ignore[misc]
    """django-environ, except that a value of the wrong kind is told by its variable."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {error}") from None


def check_secrets(values: dict[str, str]) -> None:
    """Refuse a missing, short, repeated or sample secret.

    System checks do not run under a WSGI server, hence at import of the settings.
    """
    for name, value in values.items():
        if not value:
            raise ImproperlyConfigured(
                f"{name} is not set. Set it, or run `python -m config.secrets` to make secrets."
            )
        for part in value.split(","):
            _check_strength(name, part.strip())
    if len(set(values.values())) < len(values):
        twice = sorted(name for name in values if list(values.values()).count(values[name]) > 1)
        raise ImproperlyConfigured(f"{' and '.join(twice)} hold the same value; each needs its own")


def _check_strength(name: str, value: str) -> None:
    if len(value) < 43:
        raise ImproperlyConfigured(f"{name} is too short: 43 characters (32 bytes) at least")
    if any(sample in value.lower() for sample in SAMPLES) or len(set(value)) < 10:
        raise ImproperlyConfigured(f"{name} looks like a sample value")


def seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ImproperlyConfigured(f"{name}: {text!r} is not a number of seconds")
    return value


def keys(name: str, text: str) -> list[bytes]:
    """A comma list of base64url keys of 32 bytes each; the first is the one in use."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            key = urlsafe_b64decode(part + "=" * (-len(part) % 4))
        except ValueError:
            key = b""
        if len(key) != 32:
            raise ImproperlyConfigured(f"{name}: base64url keys of 32 bytes, comma separated")
        found.append(key)
    return found


def signing_keys(name: str, text: str) -> tuple[keyring.Key, ...]:
    """Keys with their states, as ``accounts.keyring`` writes them."""
    try:
        found = keyring.parse(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from None
    if any(len(key.secret) != 32 for key in found):
        raise ImproperlyConfigured(f"{name}: base64url keys of 32 bytes, comma separated")
    return found


def origins(values: Iterable[str], *, allow_http_localhost: bool) -> list[str]:
    """Exact origins only: scheme and host in the one spelling that browsers send."""
    return [_origin(value.strip(), allow_http_localhost) for value in values if value.strip()]


def _origin(value: str, allow_http_localhost: bool) -> str:
    found = ORIGIN.fullmatch(value)
    if found and found["scheme"] == "http":
        plain = allow_http_localhost and found["host"] in ("localhost", "127.0.0.1", "[::1]")
        found = found if plain else None
    if not found or found["port"] == DEFAULT_PORTS[found["scheme"]]:
        raise ImproperlyConfigured(
            f"CORS_ALLOWED_ORIGINS: {value!r} is not an exact https origin such as"
            " https://app.example (lower case, no path, no default port, no wildcard)"
        )
    return value


def networks(name: str, values: Iterable[str]) -> list[Network]:
    try:
        return [ipaddress.ip_network(value.strip()) for value in values if value.strip()]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from None


def count(name: str, value: int) -> int:
    if value < 0:
        raise ImproperlyConfigured(f"{name} must be 0 or more, not {value}")
    return value


def positive(name: str, value: int) -> int:
    if value < 1:
        raise ImproperlyConfigured(f"{name} must be at least 1, not {value}")
    return value
