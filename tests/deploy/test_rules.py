"""Each alert rule against series that rise and fall as in an outage, by promtool itself."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import floor
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from health.alerting.rules import RULES as OWN

from .asked import DEPLOY, RULES, rules

# Of the moment (in minutes), and when trouble began and ended.
Value = Callable[[float, float, float], float]


def gauge(calm: float, ill: float) -> Value:
    return lambda at, began, ended: ill if began <= at < ended else calm


def counter(calm: float, ill: float) -> Value:
    """So many each minute."""

    def value(at: float, began: float, ended: float) -> float:
        in_trouble = max(0.0, min(at, ended) - began)
        return ill * in_trouble + calm * (at - in_trouble)

    return value


def clock(at: float, began: float, ended: float) -> float:
    """Seconds, which stand still."""
    return 60 * (began if began <= at < ended else at)


def rising(at: float, began: float, ended: float) -> float:
    return 21 + 2 * (at - began) if began <= at < ended else 2


def latest(at: float, began: float, ended: float) -> float:
    """When it last began, which is anew each minute."""
    return 60 * floor(min(max(at, began), ended))


@dataclass(frozen=True, kw_only=True)
class Case:
    """Minutes: ``fires`` and ``resolves`` after trouble began and ended, not after a ``blip``, and
    not before it has been over for longer than it ``keeps`` firing; ``step`` is seconds."""

    series: dict[str, Value]
    fires: float
    blip: float
    resolves: float
    severity: str = "ticket"
    keeps: float = 0
    calm: float = 10
    step: int = 30


def status(service: str, word: str, node: str) -> str:
    return f'health_status{{job="mainstay",instance="{node}",service="{service}",status="{word}"}}'


def critical(service: str, node: str) -> str:
    return f'health_service_critical{{job="mainstay",instance="{node}",service="{service}"}}'


def database(a: Value, b: Value, c: Value, *, word: str = "fail") -> dict[str, Value]:
    """As three nodes find it."""
    nodes = {"a": a, "b": b, "c": c}
    return {
        **{status("database", word, node): value for node, value in nodes.items()},
        **{critical("database", node): ALWAYS for node in nodes},
    }


WELL, ILL, ALWAYS = gauge(0, 0), gauge(0, 1), gauge(1, 1)
ONE_OF_THREE, TWO_OF_THREE = database(ILL, WELL, WELL), database(ILL, ILL, WELL)
LAST_RUN = 'health_last_run_timestamp_seconds{job="mainstay",instance="a",service="%s"}'
SLOW = 'job="mainstay",instance="a",endpoint="health",code="200"'
CALLS = 'job="mainstay",breaker="veo"'
OPENED = f'breaker_opened_timestamp_seconds{{{CALLS},instance="%s"}}'
ANSWERS = 'django_http_responses_total_by_status_total{job="mainstay",status="%s"}'
CASES = {
    "ServiceCheckFailing": Case(
        severity="page", series=TWO_OF_THREE, fires=2, blip=0.5, keeps=4.5, resolves=6.5
    ),
    "ServiceDegraded": Case(
        series={status("cache", "warn", "a"): gauge(0, 1), critical("cache", "a"): gauge(0, 0)},
        fires=11, blip=9, keeps=4.5, resolves=6.5,
    ),
    "HealthSnapshotStale": Case(
        severity="page",
        series={
            LAST_RUN % "database": clock,
            LAST_RUN % "cache": clock,
        },
        fires=3, blip=1, resolves=1,
    ),
    "HealthEndpointDown": Case(
        severity="page",
        series={
            'up{job="mainstay",instance="a"}': gauge(1, 0),
            'up{job="mainstay",instance="b"}': gauge(1, 1),
            status("database", "fail", "b"): gauge(0, 0),
        },
        fires=3, blip=1.5, resolves=1,
    ),
    "HealthEndpointSlow": Case(
        series={
            f'health_request_duration_seconds_bucket{{{SLOW},le="0.1"}}': counter(60, 30),
            f"health_request_duration_seconds_count{{{SLOW}}}": counter(60, 60),
        },
        fires=6, blip=2, resolves=3,
    ),
    "HealthFlapping": Case(
        series={
            'health_flapping{job="mainstay",instance="a",service="cache"}': gauge(0, 1),
        },
        fires=1, blip=0, resolves=1,
    ),
    "BreakerOpenLong": Case(
        series={f'breaker_state{{{CALLS},state="open"}}': gauge(0, 1)},
        fires=11, blip=9, keeps=4.5, resolves=6.5,
    ),
    "BreakerFlapping": Case(
        series={OPENED % node: latest for node in "ab"},
        fires=7, blip=3, resolves=31,
    ),
    "ExternalServiceFailing": Case(
        severity="page",
        series={
            f'breaker_calls_total{{{CALLS},outcome="{outcome}",instance="{node}"}}': value
            for outcome, value in {
                "ok": counter(30, 5),
                "failure": counter(0, 15),
                "throttled": counter(0, 10),
            }.items()
            for node in "ab"
        },
        fires=9, blip=2, resolves=5,
    ),
    "LockHeldTooLong": Case(
        series={'locking_oldest_hold_seconds{job="mainstay",pattern="render:*"}': gauge(10, 4000)},
        fires=6, blip=4, resolves=1,
    ),
    "LockWaitersPiling": Case(
        series={'locking_waiting{job="mainstay",pattern="render:*"}': rising},
        fires=7, blip=3, resolves=1,
    ),
    "LockLost": Case(
        series={'locking_lost_total{job="mainstay",pattern="render:*"}': counter(0, 1)},
        fires=2, blip=0, resolves=16,
    ),
    "LockoutSpike": Case(
        severity="page",
        series={'accounts_lockouts_total{job="mainstay"}': counter(0, 5)},
        fires=9, blip=1, resolves=6,
    ),
    "ErrorBudgetBurnFast": Case(
        severity="page", calm=70,
        series={ANSWERS % 200: counter(60, 30), ANSWERS % 500: counter(0, 30)},
        fires=5, blip=0.5, resolves=32,
    ),
    "ErrorBudgetBurnSlow": Case(
        calm=24 * 60, step=300,
        series={ANSWERS % 200: counter(60, 59.4), ANSWERS % 500: counter(0, 0.6)},
        fires=300, blip=60, resolves=130,
    ),
    "MultiprocFilesGrowing": Case(
        series={'app_metric_files{job="mainstay",instance="a"}': gauge(10, 2500)},
        fires=16, blip=14, resolves=1,
    ),
    "SeriesDropped": Case(
        # They begin anew when the server does.
        series={
            'app_metric_series_dropped_total{job="mainstay",metric="locking"}': gauge(0, 7),
            'breaker_hidden{job="mainstay"}': gauge(0, 0),
        },
        fires=16, blip=14, resolves=1,
    ),
}  # fmt: skip
# The same trouble in another shape.
ALSO = {
    "ServiceCheckFailing": [
        # one fails and one cannot tell
        ONE_OF_THREE | {status("database", "unknown", "b"): ILL},
        # the only node there is
        {status("database", "fail", "a"): ILL, critical("database", "a"): ALWAYS},
    ],
    "ServiceDegraded": [
        ONE_OF_THREE,
        # one node's own disk
        {status("disk", "fail", node): ILL if node == "a" else WELL for node in "abc"}
        | {critical("disk", node): WELL for node in "abc"},
    ],
    "HealthEndpointDown": [
        # it answers, but says nothing of health
        {'up{job="mainstay",instance="a"}': ALWAYS},
    ],
}  # fmt: skip
# What looks like the trouble of a rule, but is not.
OTHERS = {
    "ServiceCheckFailing": [
        ONE_OF_THREE,
        # one of two, which is not most of them
        {
            series: value for series, value in ONE_OF_THREE.items() if 'instance="c"' not in series
        },
        database(ILL, ILL, ILL, word="warn"),
        # users can do without it
        {status("cache", "fail", "a"): gauge(1, 1), critical("cache", "a"): gauge(0, 0)},
    ],
    "ServiceDegraded": [
        TWO_OF_THREE,
        # what is not configured
        {status("google_veo", "unknown", "a"): ALWAYS},
    ],
    "ExternalServiceFailing": [
        # so few calls
        {f'breaker_calls_total{{{CALLS},outcome="failure"}}': counter(0, 2)},
    ],
    "BreakerFlapping": [
        # one long outage, and the one before
        {OPENED % "a": gauge(60, 1200)},
    ],
    "LockWaitersPiling": [
        {'locking_waiting{job="mainstay",pattern="render:*"}': gauge(30, 30)},
    ],
}  # fmt: skip
# These say that there is nothing.
FIRE_ALONE = {"HealthEndpointDown": "page", "Watchdog": "heartbeat"}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    assert found, "these tests need Prometheus; .ci/run installs it"
    return found


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def test_prometheus_takes_what_is_shipped(promtool: str) -> None:
    for command in (
        ["rules", RULES],
        ["config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yml"],
    ):
        subprocess.run([promtool, "check", *command], check=True, capture_output=True)
    subprocess.run(
        ["amtool", "check-config", DEPLOY / "prometheus" / "alertmanager.yml"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_each_alert_tells_what_it_is_and_where_to_read_on() -> None:
    headings = {
        line.removeprefix("### ").strip().lower()
        for line in (settings.BASE_DIR / "docs" / "health.md").read_text().splitlines()
        if line.startswith("### ")
    }
    for alert in alerts():
        name, notes = alert["alert"], alert["annotations"]
        assert notes["summary"] and notes["description"].endswith(".")
        assert alert["labels"]["severity"] in ("page", "ticket", "heartbeat")
        assert notes["runbook_url"] == f"docs/health.md#{name.lower()}"
        assert name.lower() in headings


def test_an_alert_that_the_product_sends_by_itself_weighs_the_same_here() -> None:
    here = {alert["alert"]: alert["labels"]["severity"] for alert in alerts()}
    assert here | {name: rule.severity for name, rule in OWN.items()} == here


def test_each_alert_fires_stays_quiet_and_resolves(promtool: str, tmp_path: Path) -> None:
    assert {alert["alert"] for alert in alerts()} == {*CASES, *FIRE_ALONE}
    files = [_plan(tmp_path, name, case.step, _scenes(name, case)) for name, case in CASES.items()]
    files.append(_plan(tmp_path, None, 60, [_nothing()]))
    done = subprocess.run(
        [promtool, "test", "rules", *files], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


Scene = dict[str, Any]


def _plan(directory: Path, alert: str | None, step: int, scenes: Iterable[Scene]) -> Path:
    """To evaluate the rules of others, too, would take ten times as long."""
    wanted = [rule for rule in rules() if alert is None or _concerns(rule, alert)]
    plan, shipped = directory / f"{alert}.yml", directory / f"{alert}.rules.yml"
    shipped.write_text(yaml.safe_dump({"groups": [{"name": "rules", "rules": wanted}]}))
    interval = f"{step}s"
    tests = [{"interval": interval, **scene} for scene in scenes]
    plan.write_text(
        json.dumps({"rule_files": [str(shipped)], "evaluation_interval": interval, "tests": tests})
    )
    return plan


def _concerns(rule: dict[str, Any], alert: str) -> bool:
    [expression] = [one["expr"] for one in alerts() if one["alert"] == alert]
    return rule.get("alert") == alert or rule.get("record", "-") in expression


def _scenes(name: str, case: Case) -> Iterator[Scene]:
    began, ended, last = case.calm, case.calm + case.fires, case.step / 60
    gone = ended + case.resolves
    on = ended - last
    kept = ended + case.keeps if case.keeps else on
    yield _scene(
        "fires and resolves", case.series, case.step, began, ended, until=gone,
        expect=[
            *(_firing(name, at, case.severity) for at in sorted({on, kept})), _firing(name, gone),
        ],
    )  # fmt: skip
    over = began + case.blip
    end = over + case.fires
    yield _scene(
        "hears nothing of a blip", case.series, case.step, began, over, until=end,
        expect=[_fired(name, end)],
    )  # fmt: skip
    for series in ALSO.get(name, ()):
        yield _scene(
            "fires another way", series, case.step, began, ended, until=ended,
            expect=[_firing(name, on, case.severity)],
        )  # fmt: skip
    for series in OTHERS.get(name, ()):
        yield _scene(
            "means something else", series, case.step, 10, 30, until=35, expect=[_fired(name, 35)]
        )


def _nothing() -> Scene:
    """What is not there is in order, but for the server itself."""
    expect = [
        _firing(name, 30, FIRE_ALONE[name]) if name in FIRE_ALONE else _fired(name, 30)
        for name in (*CASES, "Watchdog")
    ]
    return _scene(
        "no data", {'up{job="prometheus"}': gauge(1, 1)}, 60, 0, 30, until=30, expect=expect
    )


def _scene(
    name: str,
    series: dict[str, Value],
    step: int,
    began: float,
    ended: float,
    *,
    until: float,
    expect: list[dict[str, Any]],
) -> Scene:
    moments = [number * step / 60 for number in range(int(until * 60 / step) + 1)]
    return {
        "name": name,
        "input_series": [
            {"series": one, "values": " ".join(f"{value(at, began, ended):g}" for at in moments)}
            for one, value in series.items()
        ],
        "promql_expr_test": expect,
    }


def _firing(name: str, at: float, severity: str | None = None) -> dict[str, Any]:
    """It does with this severity, or not at all."""
    labels = f'{{severity="{severity}"}}'
    return {
        "expr": f'count by (severity) (ALERTS{{alertname="{name}",alertstate="firing"}})',
        "eval_time": f"{at * 60:.0f}s",
        "exp_samples": [{"labels": labels, "value": 1}] if severity else [],
    }


def _fired(name: str, until: float) -> dict[str, Any]:
    """At no time."""
    return {
        "expr": f'count_over_time(ALERTS{{alertname="{name}",alertstate="firing"}}[{until:.0f}m])',
        "eval_time": f"{until * 60:.0f}s",
        "exp_samples": [],
    }
