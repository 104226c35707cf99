"""Where contenders meet: a store of the run's own, and processes under the product's settings."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ParamSpec, TypeVar

import django
from django.core.management import call_command

from config import secrets
from config.children import Child, end_with_parent
from config.up import valkey_command

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def opened() -> Iterator[None]:
    """Start the store and set this process up; workers find both in the environment."""
    # A short path, because that of a unix socket ends at 108 bytes.
    with TemporaryDirectory(prefix="ms-", dir="/tmp") as directory, ExitStack() as stack:
        socket = Path(directory, "valkey.sock")
        # The disk is no contender.
        command = [*valkey_command(socket, Path(directory)), "--appendonly", "no"]
        store = Child.start("valkey", command, log=Path(directory, "log"))
        stack.callback(store.stop)
        store.wait_until(socket.exists, seconds=10)
        os.environ.update(
            DATA_DIR=directory,
            REDIS_URL=f"unix://{socket}",
            DJANGO_SETTINGS_MODULE="config.settings",
            LOG_LEVEL="WARNING",
        )
        secrets.ensure()
        set_up()
        call_command("migrate", verbosity=0)
        yield


def set_up() -> None:
    """As in a serving process: whoever counts locks listens to their signals."""
    django.setup()
    from health import contrib

    for contribution in contrib.installed():
        contribution.connect()


def _begin() -> None:
    end_with_parent()
    set_up()


class Worker:
    """A process that performs one task after another."""

    def __init__(self) -> None:
        self._executor = ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
        )
        self._pid = self._executor.submit(os.getpid)
        self._killed = False

    def submit(self, task: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> Future[T]:
        return self._executor.submit(task, *arguments, **keywords)

    def kill(self) -> None:
        """With SIGKILL; returns when the process has ended and its connections are closed."""
        if not self._killed:
            self._killed = True
            os.kill(self._pid.result(), signal.SIGKILL)
            self._executor.shutdown()


@contextmanager
def workers(number: int) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        team = [Worker() for _ in range(number)]
        for worker in team:
            # Whatever one still does when the measuring is over is of no use to anybody.
            stack.callback(worker.kill)
        for worker in team:
            worker.submit(os.getpid).result()
        yield team


def until(holds: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("what a benchmark waits for did not come true")
        time.sleep(0.005)
