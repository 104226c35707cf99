"""The battle at a length for every day; ``make faults`` fights the long one."""

import subprocess
import sys

import pytest
from django.conf import settings


@pytest.mark.race
def test_a_short_battle_shows_no_violation():
    battle = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--seconds", "10", "--grants", "2000"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert battle.returncode == 0, battle.stdout + battle.stderr
    assert "violations: 0" in battle.stdout
