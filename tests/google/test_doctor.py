import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from breaker.contrib.google.conf import Settings
from breaker.contrib.google.doctor import Facts, examine, judged
from breaker.doctor import Level

PROJECT = Facts(settings=Settings(project="lighthouse"))


def bad(facts: Facts) -> list[tuple[str, str]]:
    found = [one for one in judged(facts) if one.level is not Level.OK]
    assert all(one.hint for one in found)
    return [(one.id, str(one.level)) for one in found]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (PROJECT, None),
        (replace(PROJECT, proxied=True), None),
        (Facts(settings=Settings(simulator_port=8001), credentials="", mode=None), None),
        (Facts(settings=Settings(), credentials="", mode=None), ("google.D001", "warning")),
        (replace(PROJECT, credentials="", mode=None), ("google.D002", "warning")),
        (replace(PROJECT, credentials="", mode=None, chosen=True), ("google.D002", "error")),
        (replace(PROJECT, credentials=""), ("google.D002", "error")),
        (replace(PROJECT, mode=0o644), ("google.D003", "warning")),
    ],
    ids=[
        "good", "proxy", "simulator", "nobody", "no-file", "file-missing", "file-broken",
        "file-open",
    ],
)  # fmt: skip
def test_each_fault_has_a_finding(facts: Facts, expected: tuple[str, str] | None) -> None:
    assert bad(facts) == ([expected] if expected else [])


def test_each_time_limit_is_told() -> None:
    (limits,) = (one.message for one in judged(PROJECT) if one.id == "google.D004")
    for limit in ("imagen 60 s", "vertex stream 300 s", "veo submit 30 s", "veo abandon 86400 s"):
        assert limit in limits


@pytest.mark.parametrize("by_name", [True, False], ids=["named", "usual"])
@pytest.mark.parametrize(
    ("content", "level"),
    [
        (json.dumps({"type": "service_account", "private_key": "hunter2"}), "ok"),
        ("not json, hunter2", "error"),
        ("[]", "error"),
        (None, None),
    ],
    ids=["good", "text", "list", "missing"],
)
def test_credentials_are_looked_for_where_the_sdk_does_and_not_told(
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by_name: bool,
    content: str | None,
    level: str | None,
) -> None:
    settings.GOOGLE_AI = {"PROJECT": "lighthouse"}
    file = tmp_path / "application_default_credentials.json"
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    if by_name:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    else:
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    if content is not None:
        file.write_text(content)
        file.chmod(0o600)
    found = {one.id: one for one in examine()}
    assert found["google.D002"].level == (level or ("error" if by_name else "warning"))
    assert not any("hunter2" in one.message + one.hint for one in found.values())
