import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

# A server of its own: what it does with SIGTERM is in place before the application is.
SERVER = """
import signal, sys, time
import django
from django.conf import settings
settings.configure(HEALTH={"DRAIN_SECONDS": float(sys.argv[1])})
if sys.argv[2] == "handles":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
from health import draining
draining.install()
print("serving", flush=True)
told = False
while True:
    if draining.draining() and not told:
        told = True
        print("draining", flush=True)
    time.sleep(0.01)
"""


class Server:
    def __init__(self, seconds: float, style: str = "handles") -> None:
        command = [sys.executable, "-c", SERVER, str(seconds), style]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.says() == "serving\n"

    def says(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def hear(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        return self.process.wait(30)


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    started: list[Server] = []
    yield started
    for server in started:
        server.process.kill()
        server.process.communicate()


def test_sigterm_drains_and_ends_when_the_time_is_over(servers: list[Server]) -> None:
    servers.append(Server(1))
    servers[0].hear(signal.SIGTERM)
    assert servers[0].says() == "draining\n"
    assert servers[0].ended() == 7


def test_a_server_without_a_handler_ends_by_the_signal(servers: list[Server]) -> None:
    servers.append(Server(0.2, "ignores"))
    servers[0].hear(signal.SIGTERM)
    assert servers[0].says() == "draining\n"
    assert servers[0].ended() == -signal.SIGTERM


def test_a_second_sigterm_means_now(servers: list[Server]) -> None:
    servers.append(Server(600))
    servers[0].hear(signal.SIGTERM)
    assert servers[0].says() == "draining\n"
    servers[0].hear(signal.SIGTERM)
    assert servers[0].ended() == 7


def test_sigusr1_drains_and_ends_nothing(servers: list[Server]) -> None:
    servers.append(Server(0.2))
    servers[0].hear(signal.SIGUSR1)
    assert servers[0].says() == "draining\n"
    servers[0].hear(signal.SIGTERM)
    assert servers[0].ended() == 7


def test_without_a_time_to_drain_sigterm_is_the_servers(servers: list[Server]) -> None:
    servers.append(Server(0))
    servers[0].hear(signal.SIGTERM)
    assert servers[0].ended() == 7
