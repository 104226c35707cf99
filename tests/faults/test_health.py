"""The ends of a prober at a length for every day; ``make faults`` plays the long ones."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.health.servers import Site

from .health.succession import Tale, asking, grown_up_prober, recycle, succession

pytestmark = pytest.mark.live


def test_whatever_happens_to_who_probes_nobody_calls_well_what_is_down(
    process_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SWITCH", str(tmp_path))
    ours = {
        "TEST_SWITCH": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "tests.faults.health.settings",
    }
    site = Site({**process_env, **ours}, tmp_path / "site.log", workers=2)
    tale = Tale()
    try:
        site.await_live()
        with asking(site, tale, pause=0.05):
            for end in (signal.SIGKILL, signal.SIGSTOP):
                prober = grown_up_prober()
                succession(prober, partial(os.kill, prober, end))
            os.kill(prober, signal.SIGCONT)
            recycle(site)
    finally:
        site.stop()
    assert {answer.status for answer in tale.answers} == {503}
