import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from breaker.agent import agent
from breaker.contrib.google.simulator import Simulator


class Remote:
    """The simulator's controls, worked over HTTP like any other caller would."""

    def __init__(self, simulator: Simulator) -> None:
        self.port = simulator.port
        self.address = simulator.address

    def fault(self, service: str, **knobs: Any) -> None:
        self.call("PUT", f"/_simulator/faults/{service}", knobs)

    def heal(self) -> None:
        self.call("DELETE", "/_simulator/faults")

    @property
    def counts(self) -> dict[str, int]:
        return self.call("GET", "/_simulator/requests")["counts"]

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


@pytest.fixture(autouse=True)
def fresh_circuits() -> None:
    agent.forget()


@pytest.fixture
def remote(settings: Settings) -> Iterator[Remote]:
    """A simulator that the settings point at, with short limits."""
    with Simulator(operation_seconds=0) as simulator:
        settings.GOOGLE_AI = {
            "SIMULATOR_PORT": simulator.port,
            "IMAGEN_SECONDS": 0.5,
            "VERTEX_SECONDS": 0.5,
            "VERTEX_STREAM_SECONDS": 0.5,
            "VEO_SUBMIT_SECONDS": 0.5,
            "VEO_POLL_SECONDS": 0.5,
        }
        yield Remote(simulator)
        # What circuits have to say is written now, not into the database of the next test.
        agent.flush()
