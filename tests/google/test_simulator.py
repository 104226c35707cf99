import os
import signal
import subprocess
import sys
import urllib.request
import zlib
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from django.conf import settings

from breaker.contrib.google.simulator import Simulator
from breaker.contrib.google.simulator.faults import Fault, Faults
from breaker.contrib.google.simulator.media import mp4, png

from .conftest import Remote

MODEL = "/v1beta1/projects/p/locations/l/publishers/google/models/m"
IMAGE = {"instances": [{"prompt": "cat"}], "parameters": {"sampleCount": 2}}


def test_a_picture_is_a_whole_png() -> None:
    data = png("cat")
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    start = data.index(b"IDAT") + 4
    length = int.from_bytes(data[start - 8 : start - 4])
    assert len(zlib.decompress(data[start : start + length])) == 64 * (1 + 64 * 3)


def test_a_film_is_a_chain_of_whole_boxes() -> None:
    data, kinds = mp4("cat"), []
    while data:
        kinds.append(data[4:8])
        data = data[int.from_bytes(data[:4]) :]
    assert kinds == [b"ftyp", b"moov", b"mdat"]


def test_requests_are_counted_and_remembered_without_their_prompts(remote: Remote) -> None:
    remote.call("POST", f"{MODEL}:predict", IMAGE)
    assert remote.counts == {"imagen": 1, "veo_submit": 0, "veo_poll": 0, "vertex": 0}
    entry = remote.recent[-1]
    assert entry.pop("time") > 0
    assert entry == {"service": "imagen", "model": "m", "status": 200}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{MODEL}:predict", {"instances": []}, 400),
        (f"{MODEL}:predict", [1], 400),
        (f"{MODEL}:fetchPredictOperation", {"operationName": "unheard"}, 404),
        (f"{MODEL}:unheard", {}, 404),
        ("/elsewhere", {}, 404),
    ],
)
def test_what_google_would_refuse_is_refused(
    remote: Remote, path: str, body: Any, status: int
) -> None:
    with pytest.raises(HTTPError) as refusal:
        remote.call("POST", path, body)
    assert refusal.value.code == status
    refusal.value.close()


def test_calls_without_credentials_are_refused(remote: Remote) -> None:
    request = urllib.request.Request(f"{remote.address}{MODEL}:predict", data=b"{}")
    with pytest.raises(HTTPError) as refusal:
        urllib.request.urlopen(request)
    assert refusal.value.code == 401
    refusal.value.close()


@pytest.mark.parametrize(
    ("service", "knobs", "status"),
    [
        ("imagen", {"sttaus": 503}, 400),
        ("imagen", {"status": "503"}, 400),
        ("imagen", {"hang": 1}, 400),
        ("unheard", {"status": 503}, 404),
    ],
)
def test_a_misspelt_fault_is_refused(remote: Remote, service: str, knobs: Any, status: int) -> None:
    with pytest.raises(HTTPError) as refusal:
        remote.fault(service, **knobs)
    assert refusal.value.code == status
    refusal.value.close()


def test_the_fault_of_the_documentation_is_taken(remote: Remote) -> None:
    remote.fault(
        "imagen", status=503, rate=1.0, latency=0, hang=False, drip=0.0, malformed=False,
        body=None, blocked=False, retry_after=None, model=None, times=None,
    )  # fmt: skip


def test_a_fault_strikes_its_model_its_rate_and_its_times_only() -> None:
    draws = iter([0.4, 0.6, 0.4, 0.4])
    faults = Faults(lambda: next(draws))
    fault = Fault(rate=0.5, model="m", times=2)
    faults.set("imagen", fault)
    struck = [faults.strike("imagen", model).rate == 0.5 for model in "xmmmm"]
    assert struck == [False, True, False, True, False]


def test_a_fault_of_one_half_of_veo_leaves_the_other_alone() -> None:
    faults = Faults(lambda: 0.0)
    faults.set("veo_poll", Fault(status=500))
    assert faults.strike("veo_submit", "m").status is None
    assert faults.strike("veo_poll", "m").status == 500
    faults.clear()
    assert faults.strike("veo_poll", "m").status is None


def test_a_hanging_request_does_not_keep_it_from_stopping() -> None:
    with Simulator() as simulator:
        remote = Remote(simulator)
        remote.fault("imagen", hang=True)
        with pytest.raises(TimeoutError):
            request = urllib.request.Request(
                f"{remote.address}{MODEL}:predict",
                data=b"{}",
                headers={"Authorization": "Bearer x"},
            )
            urllib.request.urlopen(request, timeout=0.2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_address_and_ends_cleanly(number: signal.Signals) -> None:
    manage = Path(settings.BASE_DIR) / "manage.py"
    with subprocess.Popen(
        [sys.executable, manage, "google", "simulate"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
    ) as process:  # fmt: skip
        assert process.stdout
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{address}/_simulator/requests") as response:
            assert response.status == 200
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_a_taken_port_is_named(remote: Remote) -> None:
    manage = Path(settings.BASE_DIR) / "manage.py"
    done = subprocess.run(
        [sys.executable, manage, "google", "simulate", "--port", str(remote.port)],
        capture_output=True, text=True, timeout=30,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )  # fmt: skip
    assert done.returncode == 1
    assert str(remote.port) in done.stderr
    assert "Traceback" not in done.stderr
