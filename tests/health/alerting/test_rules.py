from dataclasses import replace

import pytest

from health import CheckResult, Reason, Status
from health.alerting.rules import RULES, Seen, conditions

SEEN = Seen(
    service="database",
    component="default",
    critical=True,
    status=Status.PASS,
    reason=None,
    flapping=False,
    local=False,
    result=CheckResult(Status.PASS),
)


def alerts(seen: Seen, openings: int = 0) -> list[tuple[str, str]]:
    found = conditions([seen], {"veo": openings}, node="web-1")
    return [(one.labels.alert, one.labels.component) for one in found]


@pytest.mark.parametrize(
    ("critical", "status", "reason", "expected"),
    [
        (True, Status.PASS, None, []),
        (True, Status.FAIL, Reason.REFUSED, ["ServiceCheckFailing"]),
        (True, Status.UNKNOWN, None, ["ServiceCheckFailing"]),
        (True, Status.WARN, Reason.TIMEOUT, ["ServiceDegraded"]),
        (False, Status.FAIL, Reason.REFUSED, ["ServiceDegraded"]),
        (False, Status.WARN, Reason.OPEN, ["ServiceDegraded"]),
        (True, Status.UNKNOWN, Reason.NOT_CONFIGURED, []),
    ],
)
def test_what_a_status_means(
    critical: bool, status: Status, reason: Reason | None, expected: list[str]
) -> None:
    seen = replace(SEEN, critical=critical, status=status, reason=reason)
    assert [alert for alert, _ in alerts(seen)] == expected


def test_a_check_that_comes_and_goes_flaps() -> None:
    flapping = replace(SEEN, flapping=True)
    assert alerts(flapping) == [("HealthFlapping", "default")]
    down = replace(flapping, status=Status.FAIL, reason=Reason.REFUSED)
    assert [alert for alert, _ in alerts(down)] == ["ServiceCheckFailing", "HealthFlapping"]


@pytest.mark.parametrize(
    ("service", "values", "expected"),
    [
        ("breakers", {"state": "open"}, ["BreakerOpenLong"]),
        ("breakers", {"state": "forced_open"}, []),
        ("breakers", {"state": "closed"}, []),
        ("locks", {"oldestHoldSeconds": 3600.0, "waiting": 20}, []),
        ("locks", {"oldestHoldSeconds": 3601.0}, ["LockHeldTooLong"]),
        ("locks", {"oldestHoldSeconds": None, "waiting": 21}, ["LockWaitersPiling"]),
        ("google_veo", {"calls": 20, "failures": 11}, ["ExternalServiceFailing"]),
        ("google_veo", {"calls": 20, "failures": 10}, []),
        ("google_veo", {"calls": 19, "failures": 19}, []),
        ("queue", {"calls": 20, "failures": 20, "state": "open", "waiting": 99}, []),
    ],
)
def test_what_the_parts_of_a_service_mean(
    service: str, values: dict[str, str | float | None], expected: list[str]
) -> None:
    part = CheckResult(Status.PASS, component="veo", values=values)
    seen = replace(SEEN, service=service, result=CheckResult(Status.PASS, parts=(part,)))
    assert alerts(seen) == [(alert, "veo") for alert in expected]


def test_a_circuit_that_opens_again_and_again_is_told() -> None:
    part = CheckResult(Status.PASS, component="veo", values={"state": "closed"})
    seen = replace(SEEN, service="breakers", result=CheckResult(Status.PASS, parts=(part,)))
    assert alerts(seen, openings=4) == []
    assert alerts(seen, openings=5) == [("BreakerFlapping", "veo")]


def test_only_what_concerns_one_node_names_it() -> None:
    disk = replace(SEEN, service="disk", status=Status.FAIL, local=True, reason=Reason.SATURATED)
    (condition,) = conditions([disk], {}, node="web-1")
    assert (condition.labels.node, condition.labels.severity) == ("web-1", "page")
    assert condition.reason == "saturated"
    (condition,) = conditions([replace(disk, local=False)], {}, node="web-1")
    assert condition.labels.node == ""


def test_each_alert_has_words_of_its_own() -> None:
    said = [rule.summary.format(service="s", component="c", reason="r") for rule in RULES.values()]
    assert len(set(said)) == len(RULES)
