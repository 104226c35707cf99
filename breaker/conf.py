"""``BREAKER`` in Django's settings; every key may be left out.

Besides those of ``Settings`` it takes each option of ``Policy`` as the project's default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from socket import gethostname
from typing import Any

from django.conf import settings

from .policy import Policy

POLICY_KEYS = frozenset(field.name for field in fields(Policy))


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    cache: str = "default"
    """Alias of the django-redis cache whose server the processes share."""
    namespace: str = "breaker"
    """Projects on one server tell their circuits apart by it."""
    host: str = field(default_factory=gethostname)
    """This machine among those that ``trip_quorum`` counts, and in the history."""
    history: bool = True
    """Whether states and transitions are kept in the database, and configuration read from it."""
    error_detail: bool = True
    """Whether the last error is told with its text, and not by its class alone."""
    max_keyed: int = 1000
    """Circuits that a process makes for ``key=``, before new names share one per decorator."""
    policy: Policy = field(default_factory=Policy)

    def policy_with(self, options: Mapping[str, Any]) -> Policy:
        return replace(self.policy, **options)


_latest: tuple[dict[str, Any], Settings] | None = None


def conf() -> Settings:
    """Made anew when the setting has become another, as in tests.

    Raises PolicyError and TypeError for a setting that the system checks refuse.
    """
    global _latest
    given = getattr(settings, "BREAKER", {})
    if (latest := _latest) is None or latest[0] != given:
        made = parsed(given)
        _latest = latest = dict(given), made
    return latest[1]


def parsed(setting: object) -> Settings:
    given = spelt(setting)
    policy = {key: given.pop(key) for key in POLICY_KEYS & given.keys()}
    return Settings(**given, policy=Policy(**policy))


def spelt(setting: object) -> dict[str, Any]:
    """The setting by the names of fields; raises TypeError for what is no dict."""
    if not isinstance(setting, dict):
        raise TypeError("BREAKER must be a dict.")
    return {_spelt(key): value for key, value in setting.items()}


def _spelt(key: object) -> str:
    return key.lower() if isinstance(key, str) else repr(key)
