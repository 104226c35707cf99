"""Which alerts a process can know of by itself, with the names they have in Prometheus too.

Others need what no process has: the rates of a whole fleet, or somebody who lives when this
process does not. Those are for Prometheus alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from health.verdict import CheckResult, Reason, Status

from .mutes import DEGRADED, FAILING, FLAPPING, Place
from .states import Labels

# Of a circuit, within such a time.
MOST_OPENINGS, OPENINGS_SECONDS = 4, 1800.0
# Fewer calls say nothing about a service.
FEWEST_CALLS = 20
LONGEST_HOLD_SECONDS = 3600.0
MOST_WAITERS = 20


@dataclass(frozen=True, slots=True)
class Rule:
    """``wait`` seconds is how long the condition has to hold."""

    wait: float
    severity: str
    summary: str


RULES = {
    FAILING: Rule(60, "page", "{service} fails: {reason}."),
    DEGRADED: Rule(600, "ticket", "{service} is degraded: {reason}."),
    FLAPPING: Rule(0, "ticket", "{service} comes and goes."),
    "BreakerOpenLong": Rule(600, "ticket", "The circuit {component} stays open."),
    "BreakerFlapping": Rule(0, "ticket", "The circuit {component} opens again and again."),
    "ExternalServiceFailing": Rule(300, "page", "Most calls of {component} fail."),
    "LockHeldTooLong": Rule(300, "ticket", "A lock {component} is held for more than an hour."),
    "LockWaitersPiling": Rule(300, "ticket", "Many callers wait for locks {component}."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One check as it is shown. ``local`` if it concerns this node alone."""

    service: str
    component: str
    critical: bool
    status: Status
    reason: Reason | None
    flapping: bool
    local: bool
    result: CheckResult

    @property
    def place(self) -> Place:
        return self.service, self.component

    @property
    def parts(self) -> tuple[CheckResult, ...]:
        return self.result.parts

    @property
    def counts(self) -> bool:
        return self.reason is not Reason.NOT_CONFIGURED


@dataclass(frozen=True, slots=True)
class Condition:
    """One that holds now, and why."""

    labels: Labels
    reason: str


def conditions(
    checks: Iterable[Seen], openings: Mapping[str, int], *, node: str
) -> Iterator[Condition]:
    """``openings`` of circuits are those of the last half hour."""
    for check in checks:
        local = node if check.local else ""
        for alert, component in _alerts(check, openings):
            labels = Labels(
                alert=alert,
                service=check.service,
                component=component,
                node=local,
                severity=RULES[alert].severity,
            )
            yield Condition(labels, check.reason or "")


def _alerts(check: Seen, openings: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    if check.counts and check.status is not Status.PASS:
        down = check.critical and check.status in (Status.FAIL, Status.UNKNOWN)
        yield FAILING if down else DEGRADED, check.component
    if check.flapping:
        yield FLAPPING, check.component
    for part in check.parts:
        for alert in _alerts_of_part(check.service, part, openings):
            yield alert, part.component


def _alerts_of_part(service: str, part: CheckResult, openings: Mapping[str, int]) -> Iterator[str]:
    match service:
        case "breakers":
            if part.values.get("state") == "open":
                yield "BreakerOpenLong"
            if openings.get(part.component, 0) > MOST_OPENINGS:
                yield "BreakerFlapping"
        case "locks":
            if _number(part, "oldestHoldSeconds") > LONGEST_HOLD_SECONDS:
                yield "LockHeldTooLong"
            if _number(part, "waiting") > MOST_WAITERS:
                yield "LockWaitersPiling"
        case _ if service.startswith("google_"):
            calls = _number(part, "calls")
            if calls >= FEWEST_CALLS and _number(part, "failures") > calls / 2:
                yield "ExternalServiceFailing"


def _number(part: CheckResult, name: str) -> float:
    return float(part.values.get(name) or 0)
