from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from health.doctor import Facts, examine, judged
from health.engine.checker import Checker
from health.engine.directory import prepare
from health.engine.host import Host
from health.findings import Level

from .conftest import eventually
from .probes import Fake


def bad(facts: Facts) -> list[tuple[str, str]]:
    found = [one for one in judged(facts) if one.level is not Level.OK]
    assert all(one.hint for one in found)
    return [(one.id, str(one.level)) for one in found]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"silence": None}, None),
        ({"silence": 60.0}, None),
        ({"refused": "it belongs to another user"}, ("health.D001", "error")),
        ({"tokens": 0}, ("health.D003", "warning")),
        ({"tokens": 0, "cidrs": ["10.0.0.0/8"]}, None),
        ({"cidrs": ["0.0.0.0/0"]}, ("health.D003", "warning")),
        ({"details": "always"}, ("health.D003", "warning")),
    ],
    ids=["good", "new", "idle", "refused", "closed", "network", "open-network", "open"],
)
def test_each_fault_has_a_finding(
    changes: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    assert bad(replace(Facts(), **changes)) == ([expected] if expected else [])


def told(settings: Any, directory: Path) -> dict[str, tuple[str, str]]:
    own = {"RUNTIME_DIR": directory, "ALLOWED_CIDRS": ["127.0.0.0/8"], "ALERTS": None}
    settings.HEALTH = own
    return {one.id: (str(one.level), one.message) for one in examine()}


def test_who_probes_is_seen_from_outside(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "run"
    assert told(settings, directory)["health.D002"][1].startswith("No server has probed")
    checker = Checker([Fake("cache")], place=Host(prepare(directory)), jitter=lambda: 1.0)
    eventually(lambda: told(settings, directory)["health.D002"][1] == PROBES)
    checker.stop()
    assert {level for level, _ in told(settings, directory).values()} == {"ok"}


PROBES = "A server of this host probes."


def test_a_directory_that_others_may_write_to_is_refused(settings: Any, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    level, message = told(settings, tmp_path)["health.D001"]
    assert level == "error"
    assert "open to other users" in message
