"""Status words, what one probe says, and how many checks become one word."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a status is not pass: a closed list, so that no error text reaches a body."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    CREDENTIALS = "credentials"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    OPEN = "open"
    HALF_OPEN = "half_open"
    STALE = "stale"
    STARTING = "starting"
    DRAINING = "draining"
    NOT_CONFIGURED = "not_configured"
    SATURATED = "saturated"
    READ_ONLY = "read_only"
    UNAPPLIED = "unapplied"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One run of a probe. ``parts`` are the members of a group, each named by ``component``.

    ``cause`` is what the probe has caught, where it did: for the log, and for nobody else to see.
    """

    status: Status
    reason: Reason | None = None
    component: str = ""
    retry_after: float | None = None
    values: Mapping[str, str | float | None] = field(default_factory=dict)
    parts: tuple["CheckResult", ...] = ()
    cause: BaseException | None = field(default=None, compare=False)


class Standing(NamedTuple):
    status: Status
    reason: Reason | None
    critical: bool


SEVERITY = [Status.PASS, Status.WARN, Status.UNKNOWN, Status.FAIL]


def aggregate(standings: Iterable[Standing]) -> Status:
    """The overall word. What nobody configured cannot be missed, so it does not count."""
    counted = [one for one in standings if one.reason is not Reason.NOT_CONFIGURED]
    if any(one.critical and one.status in (Status.FAIL, Status.UNKNOWN) for one in counted):
        return Status.FAIL
    if any(one.status is not Status.PASS for one in counted):
        return Status.WARN
    return Status.PASS


def worst(statuses: Iterable[Status]) -> Status:
    return max(statuses, key=SEVERITY.index, default=Status.UNKNOWN)


def http_code(status: Status) -> int:
    """A warning is a 2xx: users may still be sent here."""
    return 503 if status is Status.FAIL else 200
