"""The ``HEALTH`` settings dict."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """Seconds: ``group`` is waited for what belongs together, ``remind`` until it is said again,
    ``floor`` between two messages of one channel; ``waits`` is how long the condition of an alert
    has to hold, by its name.

    ``runbook`` is the address of a page with a heading for each alert. ``hook_tokens`` are SHA-256
    hex digests of bearer tokens with which Alertmanager may tell us of alerts.
    """

    webhook_url: str = ""
    webhook_secret: str = ""
    emails: Sequence[str] = ()
    waits: Mapping[str, float] = field(default_factory=dict)
    group_seconds: float = 10.0
    remind_seconds: float = 14_400.0
    floor_seconds: float = 30.0
    runbook: str = ""
    hook_tokens: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``services`` None watches all there is; intervals and deadlines are seconds by service.

    Without ``critical`` services users are not served; None leaves it to the probes, which is the
    database. Without ``ready`` ones nothing is routed to this node, nor, where nodes share them,
    to any other.

    ``probes`` are dotted paths to what returns a probe when called without arguments: a subclass
    of ``health.Probe``, or a function. ``disk`` is a directory whose disk must not run full.

    ``tokens`` are SHA-256 hex digests of bearer tokens. They, ``allowed_cidrs`` and staff with the
    permission ``health.view_details`` open the details and /metrics; ``details`` may be "always".
    Everybody else sees status words: those of all services, or with ``anonymous`` "summary" only
    the overall one.

    ``runtime_dir`` is where the processes of a host meet: a directory of this user alone, best in
    memory; None makes one under that for temporary files.
    ``alerts`` has the keys of AlertSettings; None keeps neither alerts nor a history.
    """

    services: Sequence[str] | None = None
    critical: Sequence[str] | None = None
    ready: Sequence[str] = ("database",)
    intervals: Mapping[str, float] = field(default_factory=dict)
    deadlines: Mapping[str, float] = field(default_factory=dict)
    probes: Sequence[str] = ()
    cache: str = "default"
    disk: str | os.PathLike[str] = ""
    service_id: str = ""
    release: str = ""
    tokens: Sequence[str] = ()
    allowed_cidrs: Sequence[str] = ()
    anonymous: str = "words"
    details: str = "authorised"
    drain_seconds: float = 0.0
    runtime_dir: str | os.PathLike[str] | None = None
    alerts: Mapping[str, Any] | None = field(default_factory=dict)
    history_days: float = 30.0


def conf() -> Settings:
    values = getattr(settings, "HEALTH", {})
    return Settings(**{key.lower(): value for key, value in values.items()})


def alert_settings() -> AlertSettings | None:
    values = conf().alerts
    if values is None:
        return None
    return AlertSettings(**{key.lower(): value for key, value in values.items()})
