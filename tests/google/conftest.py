import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import override_settings
from pytest_django.fixtures import Settings

from breaker.contrib.google.simulator import Simulator


class Remote:
    """The simulator's controls, worked over HTTP like any other caller would."""

    def __init__(self, simulator: Simulator) -> None:
        self.port = simulator.port
        self.address = simulator.address
        self._before = self.call("GET", "/_simulator/requests")["counts"]

    def fault(self, service: str, **knobs: Any) -> None:
        self.call("PUT", f"/_simulator/faults/{service}", knobs)

    def heal(self) -> None:
        self.call("DELETE", "/_simulator/faults")

    @property
    def counts(self) -> dict[str, int]:
        """Requests of this test."""
        counts = self.call("GET", "/_simulator/requests")["counts"]
        return {service: count - self._before[service] for service, count in counts.items()}

    @property
    def recent(self) -> list[dict[str, Any]]:
        return self.call("GET", "/_simulator/requests")["recent"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer x", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            return json.load(response)


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    """One for all tests, because the SDK takes a tenth of a second to meet a new one."""
    with Simulator(operation_seconds=0) as simulator:
        yield simulator


@pytest.fixture
def remote(simulator: Simulator, settings: Settings) -> Iterator[Remote]:
    """A simulator that the settings point at.

    Models are of the test's own, and so are its circuits: this process remembers those of others.
    """
    test = uuid4().hex[:8]
    settings.GOOGLE_AI = {
        "SIMULATOR_PORT": simulator.port,
        "IMAGEN_MODELS": [f"imagen-{test}", f"imagen-{test}-fast", f"gemini-{test}-image"],
        "VEO_MODELS": [f"veo-{test}"],
        "VERTEX_MODELS": [f"gemini-{test}"],
    }
    # Their rows are the breaker's own affair, and written by a thread of its own.
    settings.BREAKER = {**settings.BREAKER, "HISTORY": False}
    remote = Remote(simulator)
    yield remote
    remote.heal()


@contextmanager
def limited(seconds: float, *, when: bool = True) -> Iterator[None]:
    """Every call has so long: only those that are to fail, for a busy machine needs its time."""
    services = ("IMAGEN", "VERTEX", "VERTEX_STREAM", "VEO_SUBMIT", "VEO_POLL")
    limits = {f"{service}_SECONDS": seconds for service in services if when}
    with override_settings(GOOGLE_AI={**settings.GOOGLE_AI, **limits}):
        yield
