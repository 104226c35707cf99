"""The hook, as Alertmanager itself uses it."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from config.children import end_with_parent
from health.models import Alert
from tests.health.conftest import eventually
from tests.product import call

pytestmark = pytest.mark.live

TOKEN = "of Alertmanager, made of random bytes"
Fire = Callable[..., None]


@pytest.fixture
def fire(live_server: LiveServer, settings: Settings, tmp_path: Path) -> Iterator[Fire]:
    """Has an Alertmanager of the test's own told of an alert."""
    digest = sha256(TOKEN.encode()).hexdigest()
    settings.HEALTH = {**settings.HEALTH, "ALERTS": {"HOOK_TOKENS": [digest]}}
    hook = {
        "url": f"{live_server.url}/api/alerts/hook",
        "max_alerts": 500,
        "http_config": {"authorization": {"credentials": TOKEN}},
    }
    route = {"receiver": "hook", "group_wait": "0s", "group_interval": "1s"}
    receivers = [{"name": "hook", "webhook_configs": [hook]}]
    (tmp_path / "config.yml").write_text(json.dumps({"route": route, "receivers": receivers}))
    program = shutil.which("prometheus-alertmanager")
    assert program, "this needs prometheus-alertmanager; .ci/run installs it"
    said = tmp_path / "log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [
                program, "--config.file=config.yml", "--storage.path=data",
                "--cluster.listen-address=", "--web.listen-address=127.0.0.1:0",
            ],
            cwd=tmp_path, stdout=log, stderr=log, preexec_fn=end_with_parent,
        )  # fmt: skip

    def address() -> str:
        found = re.search(r'"Listening on" address=(\S+)', said.read_text())
        return found[1] if found else ""

    def post(**alert: Any) -> None:
        told = call("POST", f"http://{address()}/api/v2/alerts", [alert])
        assert told.status == 200

    eventually(address)
    yield post
    process.terminate()
    process.wait()


def test_what_it_tells_is_understood(fire: Fire) -> None:
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": "LockLost", "pattern": "render:*", "severity": "ticket"},
        "annotations": {"summary": "A lock render:* was lost by its holder"},
        "startsAt": now.isoformat(),
    }
    fire(**alert, endsAt=(now + timedelta(hours=1)).isoformat())
    eventually(lambda: Alert.objects.filter(state="firing").exists())
    row = Alert.objects.get()
    assert (row.alert, row.component, row.fired_at) == ("LockLost", "render:*", now)
    fire(**alert, endsAt=datetime.now(UTC).isoformat())
    eventually(lambda: Alert.objects.filter(state="quiet").exists())
    assert Alert.objects.get().summary == "A lock render:* was lost by its holder"
