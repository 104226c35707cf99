"""The doctor of the site: facts in, findings out; and the facts of servers that are really so."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.checks import Error, Info, Warning
from django.db import connection

from config.doctor import database, machine, settled, site, stores
from config.redis import caches
from health.findings import Finding, Level
from tests.servers import Valkey

SITE = site.Facts(proxies=[ip_network("10.0.0.0/8")])
POSTGRES = database.Facts(
    options={
        "connect_timeout": 3,
        "tcp_user_timeout": 5000,
        "pool": {"min_size": 1, "max_size": 36},
    },
    connections=97,
)
SQLITE = database.Facts(vendor="sqlite", options={"timeout": 20}, journal="wal")


def bad(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Number and level of what is not all right; each has advice."""
    found = [one for one in findings if one.level is not Level.OK]
    assert all(one.hint for one in found)
    return [(one.id.removeprefix("config.D"), str(one.level)) for one in found]


def test_a_good_site_has_only_good_findings() -> None:
    assert bad(site.judged(SITE)) == []
    assert bad(machine.judged(machine.Facts())) == []
    assert bad(stores.judged(stores.Facts(alias="default"))) == []
    assert bad(database.judged("default", POSTGRES)) == []
    assert bad(database.judged("default", SQLITE)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"debug": True}, ("001", "warning")),
        ({"hosts": ["*"]}, ("002", "error")),
        ({"proxies": []}, ("003", "warning")),
        ({"proxies": [ip_network("0.0.0.0/0")]}, ("004", "error")),
        ({"proxies": [ip_network("::/0")]}, ("004", "error")),
        ({"proxies": [ip_network("128.0.0.0/1")]}, ("004", "warning")),
        ({"proxies": [ip_network("2000::/3")]}, ("004", "warning")),
        ({"proxies": [], "https": False, "hosts": ["localhost"]}, None),
    ],
    ids=[
        "debug", "any-host", "https-without-proxy", "all-of-v4", "all-of-v6", "half-of-v4",
        "most-of-v6", "loopback",
    ],
)  # fmt: skip
def test_each_fault_of_a_site_has_a_finding(
    changes: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    assert bad(site.judged(replace(SITE, **changes))) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"secrets_age": 400.0}, ("005", "warning")),
        ({"secrets_age": None}, None),
        ({"data_mode": 0o777}, ("006", "error")),
        ({"data_mode": 0o755}, None),
        ({"data_mode": None}, None),
        ({"files": 250}, ("007", "warning")),
        ({"files": float("inf")}, None),
        ({"metrics": "somewhere", "metric_files": None}, ("008", "error")),
        ({"metrics": "somewhere", "metric_files": 2_001}, ("008", "warning")),
        ({"metrics": "somewhere", "metric_files": 40}, None),
    ],
    ids=[
        "old-secrets", "secrets-elsewhere", "open-data", "readable-data", "no-data", "few-files",
        "no-limit-of-files", "lost-counters", "many-counters", "counters",
    ],
)  # fmt: skip
def test_each_fault_of_a_machine_has_a_finding(
    changes: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    assert bad(machine.judged(replace(machine.Facts(), **changes))) == (
        [expected] if expected else []
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"redis": False}, ("010", "warning")),
        ({"failure": "Connection refused."}, ("010", "error")),
        ({"timeout": None}, ("011", "warning")),
        ({"timeout": 5.0}, ("011", "warning")),
    ],
    ids=["not-redis", "down", "endless", "long"],
)
def test_each_fault_of_a_cache_has_a_finding(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    facts = replace(stores.Facts(alias="default"), **changes)
    assert bad(stores.judged(facts)) == [expected]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(POSTGRES, pending=3), ("013", "error")),
        (replace(POSTGRES, read_only=True), ("014", "error")),
        (replace(SQLITE, journal="delete"), ("014", "warning")),
        (replace(POSTGRES, options={"connect_timeout": 3}), ("015", "warning")),
        (replace(SQLITE, options={}), ("015", "warning")),
        (replace(POSTGRES, workers=3), ("016", "warning")),
        (replace(POSTGRES, options={**POSTGRES.options, "pool": True}, workers=3), None),
        (replace(POSTGRES, options={**POSTGRES.options, "pool": {}}, workers=99), None),
        (replace(POSTGRES, statements_end=False), ("017", "warning")),
    ],
    ids=[
        "unmigrated", "replica", "rollback-journal", "no-user-timeout", "no-timeout", "crowded",
        "default-pool", "no-pool", "endless-statements",
    ],
)  # fmt: skip
def test_each_fault_of_a_database_has_a_finding(
    facts: database.Facts, expected: tuple[str, str] | None
) -> None:
    assert bad(database.judged("default", facts)) == ([expected] if expected else [])


def test_the_database_of_this_run_is_described(transactional_db: None) -> None:
    facts = database.gather("default")
    assert (facts.vendor, facts.pending, facts.read_only) == (connection.vendor, 0, False)
    if connection.vendor == "postgresql":
        assert facts.connections > 0
        assert facts.statements_end is False
    else:
        assert facts.journal == "wal"


def test_a_directory_that_is_none_holds_no_counters(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counter_1.db").touch()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert {one.id: one.message for one in machine.examine()}["config.D008"].startswith("1 files")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "missing"))
    assert ("008", "error") in bad(machine.examine())


def test_a_cache_that_no_app_looks_at_is_asked(settings: Any, own_valkey: Valkey) -> None:
    settings.CACHES = caches(own_valkey.url)
    assert [one.level for one in stores.examine()] == ["ok", "ok"]
    own_valkey.stop()
    assert bad(stores.examine()) == [("010", "error")]


def test_system_checks_become_findings() -> None:
    told = [
        settled.finding(Error("Wrong.", hint="Mend it.", id="shop.E001")),
        settled.finding(Warning("Odd.", id="shop.W001")),
        settled.finding(Info("By the way.")),
    ]
    assert [(one.id, one.level, one.message, one.hint) for one in told] == [
        ("shop.E001", "error", "Wrong.", "Mend it."),
        ("shop.W001", "warning", "Odd.", ""),
        ("config.D009", "warning", "By the way.", ""),
    ]


def test_a_misspelt_setting_is_found(settings: Any) -> None:
    settings.LOCKING = {"CAHCE": "locks"}
    assert "locking.E001" in [one.id for one in settled.examine() if one.level is Level.ERROR]
