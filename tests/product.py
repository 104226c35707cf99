"""The product started as a user starts it: ``manage.py up`` in a directory of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from django.conf import settings

from config.children import end_with_parent
from tests.servers import scratch

# What a user's shell would have; nothing of the test run leaks into the product.
CLEAN = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(method: str, url: str, body: Any = None, **headers: str) -> Reply:
    """One HTTP request; header names are given with underscores."""
    data = None if body is None else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        names.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(url, data, names, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return Reply(reply.status, reply.headers, reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.headers, error.read())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Command:
    """``manage.py up`` as a process; what it says goes to a file, which never blocks it."""

    def __init__(self, directory: Path, **env: str) -> None:
        self.directory = directory
        self._said = scratch() / "said"
        with self._said.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), "up"],
                env=CLEAN | {"DATA_DIR": str(directory), "PORT": str(free_port())} | env,
                stdout=file,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )

    @property
    def output(self) -> str:
        return self._said.read_text()

    def ended(self, seconds: float = 60) -> int:
        """The exit code, waited for."""
        return self.process.wait(seconds)


class Product(Command):
    """A running ``manage.py up``."""

    def __init__(self, directory: Path, **env: str) -> None:
        super().__init__(directory, **env)
        deadline = time.monotonic() + 60
        while "Ctrl-C" not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)
        self.url = self._find(r"server +(http://\S+)")
        self.simulator = self._find(r"simulator +(http://[^/]+)")

    def _find(self, pattern: str) -> str:
        found = re.search(pattern, self.output)
        assert found, self.output
        return found[1]

    @property
    def password(self) -> str:
        return self._find(r"operator +password (\S+)")

    def sign_in(self, password: str) -> str:
        login = {"username": "operator", "password": password}
        return str(call("POST", f"{self.url}/api/v1/auth/token", login).json["access"])

    def generate(self, token: str, key: str, **body: Any) -> Reply:
        return call(
            "POST", f"{self.url}/api/v1/generations",
            {"service": "imagen", "prompt": "a lighthouse"} | body,
            Authorization=f"Bearer {token}", Idempotency_Key=key,
        )  # fmt: skip

    def fault(self, service: str, **knobs: Any) -> None:
        assert call("PUT", f"{self.simulator}/_simulator/faults/{service}", knobs).status < 300

    def mend(self) -> None:
        assert call("DELETE", f"{self.simulator}/_simulator/faults").status < 300

    def paid(self, kind: str) -> int:
        """Requests of a kind that reached the simulator."""
        counts = call("GET", f"{self.simulator}/_simulator/requests").json["counts"]
        return int(counts.get(kind, 0))

    def processes(self) -> dict[int, str]:
        """Living processes that carry this product's data directory, and their command lines."""
        return processes_of(self.directory)

    def workers(self) -> list[int]:
        """The server's worker processes: children of the server that ``up`` started."""
        children = {
            pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            for pid in self.processes()
        }
        masters = [pid for pid, line in self.processes().items() if "manage.py serve" in line]
        return [
            pid for pid, parent in children.items()
            if parent in masters and "resource_tracker" not in self.processes()[pid]
        ]  # fmt: skip

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.ended(30)


def processes_of(directory: Path) -> dict[int, str]:
    mark = f"DATA_DIR={directory}".encode()
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            # Valkey writes its title over its environment, but works inside the directory.
            ours = mark in (path / "environ").read_bytes().split(b"\0")
            if ours or (path / "cwd").readlink().is_relative_to(directory):
                found[int(path.name)] = (path / "cmdline").read_text().replace("\0", " ")
        except OSError:  # gone meanwhile, or a kernel thread
            continue
    return found


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)
