import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from health import Probe, checker
from health.alerting import notifier
from health.engine.checker import Checker
from health.engine.place import Place
from health.responder import HealthResponder


def eventually(condition: Callable[[], Any], *, within: float = 30.0) -> float:
    """Seconds until ``condition`` held; fails when it does not in time."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within, "it did not happen in time"
        time.sleep(0.005)
    return time.monotonic() - began


@pytest.fixture(autouse=True, scope="session")
def nobody_is_alerted() -> None:
    """Threads of alerting's own would outlive a test and its database; some tests want them."""
    notifier.disconnect()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Checker]]:
    """Starts the process's checker on these probes, without jitter."""
    started: list[Checker] = []

    def start(*probes: Probe, wait: bool = True, place: Place | None = None) -> Checker:
        known = place.latest() if place else None
        running = Checker(probes, place=place, known=known, jitter=lambda: 1.0)
        monkeypatch.setattr(checker, "_running", running)
        started.append(running)
        if wait:
            eventually(lambda: running.edition.snapshot.started)
        return running

    yield start
    for running in started:
        running.stop()


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


def call(path: str, method: str = "GET", **environ: str) -> Reply:
    """One request straight to the wrapper; Django behind it answers 299."""
    seen: list[Any] = []

    def django(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("299 Django", [])
        return [b"django"]

    environ = {"PATH_INFO": path, "REQUEST_METHOD": method, "REMOTE_ADDR": "203.0.113.9", **environ}
    body = b"".join(HealthResponder(django)(environ, lambda *answer: seen.extend(answer)))
    return Reply(int(seen[0].split()[0]), dict(seen[1]), body)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Refuses connections, and nobody else can take it meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
