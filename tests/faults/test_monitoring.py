"""What ``make faults`` does for minutes, as far as it can be seen in a moment."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.deploy.asked import RULES
from tests.deploy.test_rules import promtool as promtool

from .monitoring.__main__ import judged
from .monitoring.mailbox import Mailbox, Notice
from .monitoring.patients import Google
from .monitoring.tower import hurried, told, watching


@pytest.mark.parametrize(
    ("shipped", "faster"),
    [
        ("for: 10m", "for: 20s"),
        ("rate(x[1h] offset 10m)", "rate(x[120s] offset 20s)"),
        ("group_wait: 0s", "group_wait: 0s"),
        ("scrape_interval: 15s", "scrape_interval: 2s"),
        ("job:http_errors:ratio_rate5m > 0.1", "job:http_errors:ratio_rate5m > 0.1"),
    ],
)
def test_minutes_become_seconds(shipped: str, faster: str) -> None:
    assert hurried(shipped) == faster


def test_the_faster_configuration_is_one(promtool: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(hurried(RULES.read_text()))
    for name, configuration in (
        ("prometheus.yml", watching("http://127.0.0.1:8000", "127.0.0.1:9093")),
        ("alertmanager.yml", told("http://127.0.0.1:9999/")),
    ):
        (tmp_path / name).write_text(yaml.safe_dump(configuration))
    for command in ([promtool, "check", "config", "prometheus.yml"],
                    ["amtool", "check-config", "alertmanager.yml"]):  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_told_never_or_twice_is_a_problem() -> None:
    google = Google()
    right = Counter(
        Notice(alert, about, status)
        for alert, about in google.alerts
        for status in ("firing", "resolved")
    )
    assert list(judged("google", google, right.copy())) == []
    twice, never = (
        Notice("ServiceDegraded", "breakers", "firing"),
        Notice("ServiceDegraded", "breakers", "resolved"),
    )
    right[twice], right[never] = 2, 0
    assert list(judged("google", google, right)) == [
        "google: ServiceDegraded of breakers was told 2 times as firing",
        "google: ServiceDegraded of breakers was told 0 times as resolved",
    ]


def test_the_mailbox_counts_each_alert_of_a_message() -> None:
    mailbox = Mailbox()
    mailbox.take(
        b'{"alerts": [{"status": "firing", "labels": {"alertname": "A", "service": "cache"}},'
        b'{"status": "resolved", "labels": {"alertname": "B", "breaker": "veo", "service": "x"}}]}'
    )
    mailbox.close()
    assert mailbox.notices == {Notice("A", "cache", "firing"): 1, Notice("B", "veo", "resolved"): 1}
