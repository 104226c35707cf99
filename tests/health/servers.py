"""The product served for a test by its own server, whose workers end a little sooner."""

import http.client
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

from config.children import end_with_parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Site:
    THREADS = 8

    def __init__(
        self, env: dict[str, str], log: Path, *, workers: int = 1, overlap: float = 3.5
    ) -> None:
        """``overlap``: seconds for which a new worker and the one it replaces are both there."""
        self.port = free_port()
        self.log = log
        self.size = workers
        quicker = {"workers_kill_timeout": 3, "respawn_interval": overlap}
        command = [sys.executable, "-m", "tests.health.serve", str(self.port), json.dumps(quicker)]
        ours = {
            "WORKERS": str(workers),
            "THREADS": str(self.THREADS),
            "TEST_RUNTIME_DIR": str(log.with_suffix(".run")),
        }
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env={**env, **ours},
                cwd=settings.BASE_DIR,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )

    def await_live(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                status, _ = self.get("/health/live")
            except OSError:
                status = 0
            if status == 200:
                return
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def get(self, path: str, *, within: float = 10, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=within)
        try:
            connection.request("GET", path, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def threads(self) -> int:
        """Of all processes of the server."""
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in self.pids())

    def pids(self) -> list[int]:
        parent = self.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *map(int, children)]

    def workers(self) -> list[int]:
        """Without the process that keeps track of what they share."""
        ours = [(pid, Path(f"/proc/{pid}/cmdline")) for pid in self.pids()[1:]]
        return [pid for pid, line in ours if b"resource_tracker" not in line.read_bytes()]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
