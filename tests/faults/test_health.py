"""The ends of a prober at a length for every day; ``make faults`` plays the long ones."""

import os
import signal
from pathlib import Path

import pytest

from tests.health.servers import Site

from .health.succession import BLIND_SECONDS, Tale, asking, grown_up_prober, recycle, succession

pytestmark = pytest.mark.live
# What a busy machine may take beyond.
STALL_SECONDS = 5.0


def test_whatever_happens_to_who_probes_nobody_calls_well_what_is_down(
    process_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SWITCH", str(tmp_path))
    ours = {
        "TEST_SWITCH": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "tests.faults.health.settings",
    }
    site = Site({**process_env, **ours}, tmp_path / "site.log", workers=4, overlap=1.5)
    tale = Tale()
    try:
        site.await_live()
        with asking(site, tale, pause=0.02):
            for end in (signal.SIGKILL, signal.SIGSTOP):
                prober = grown_up_prober()
                succession(site, tale, prober, end)
            os.kill(prober, signal.SIGCONT)
            recycle(site)
    finally:
        site.stop()
    assert tale.statuses() == {503}
    assert tale.undocumented() == []
    assert max(tale.gaps) < BLIND_SECONDS + STALL_SECONDS
