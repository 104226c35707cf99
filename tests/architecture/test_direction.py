"""Imports point one way: config, health, then three apps that never meet."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

PACKAGES = ["accounts", "breaker", "config", "health", "locking"]


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    lint_imports = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [lint_imports, "--no-cache"], cwd=directory, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's packages in a place where a violation can be planted."""
    for package in PACKAGES:
        shutil.copytree(
            settings.BASE_DIR / package, tmp_path / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )  # fmt: skip
    shutil.copy(settings.BASE_DIR / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "planted"),
    [
        pytest.param("locking/planted.py", "import breaker.errors", id="siblings meet"),
        pytest.param("accounts/planted.py", "import config.secrets", id="someone imports config"),
        pytest.param("breaker/planted.py", "import health.verdict", id="an app imports health"),
        pytest.param("health/planted.py", "import locking.errors", id="health outside contrib"),
        pytest.param("breaker/circuit.py", "import django", id="Django in a pure module"),
        pytest.param("locking/planted.py", "import google.genai", id="the SDK in another app"),
    ],
)
def test_a_planted_violation_breaks_a_contract(copy: Path, module: str, planted: str) -> None:
    with (copy / module).open("a") as file:
        file.write(f"\n{planted}\n")
    result = lint(copy)
    assert result.returncode == 1, result.stdout
    assert "BROKEN" in result.stdout
