"""What the shipped rules and the dashboard ask Prometheus for."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "mainstay.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "mainstay.json"

METRIC = re.compile(r"\b(?:accounts|alert|app|breaker|django|health|locking)_[a-z0-9_]+")


@cache
def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@cache
def dashboard() -> Any:
    return json.loads(DASHBOARD.read_text())


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    for rule in rules():
        yield rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"]


def metrics() -> set[str]:
    return {name for expression in expressions() for name in METRIC.findall(expression)}
