"""One battle, from the first process to the last verdict."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from tempfile import mkdtemp

import redis

from tests.servers import Valkey, scratch

from . import models
from .board import Board
from .checker import Violation, check
from .crew import Crew
from .history import History, parse
from .journal import Journal, read_all
from .nemesis import Nemesis
from .proxy import Proxy
from .worker import Orders

# How long survivors may take to finish what they are at and prove that they still work.
LAST_ORDERS = 90.0
# On a machine too busy for the grants asked for, the battle ends after so many times its seconds.
PATIENCE = 4
# The write of a call is in the file before its reply is sent: a killed server forgets nothing.
PERSISTENT = ("--appendonly", "yes", "--appendfsync", "always")
LOCKS_DATABASE = 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    seconds: float
    grants: int
    processes: int
    names: int
    seed: int


@dataclass(kw_only=True)
class Report:
    seconds: float
    history: History
    faults: Counter[str]
    replies_lost: int
    violations: list[Violation]

    @cached_property
    def grants(self) -> int:
        return sum(operation.fence is not None for operation in self.history.operations)

    @cached_property
    def outcomes(self) -> Counter[str]:
        return Counter(operation.outcome for operation in self.history.operations)

    @cached_property
    def writes(self) -> Counter[str]:
        operations = self.history.operations
        return Counter(write.outcome for wish in operations for write in wish.writes)


def fight(plan: Plan, directory: Path) -> Report:
    """Journals go to ``directory``. Needs Django set up with this package's settings."""
    # Of every ten names one is a read/write lock and one a semaphore.
    names = ["nnnnrnnnns"[number % 10] + str(number) for number in range(plan.names)]
    models.create(names)
    data = Path(mkdtemp(prefix="ms-", dir="/dev/shm"))
    server = Valkey(scratch(), *PERSISTENT, "--dir", str(data))
    try:
        proxy = Proxy(Path(os.environ["REDIS_URL"].removeprefix("unix://")), server.socket)
        board = Board(directory / "board")
        crew = Crew(Orders(directory=directory, names=names), plan.processes, plan.seed)
        journal = Journal(directory / "nemesis.log")
        nemesis = Nemesis(journal, crew, proxy, server, data, Random(plan.seed))
        begun = time.monotonic()
        nemesis.rage(lambda: _enough(plan, time.monotonic() - begun, board))
        seconds = time.monotonic() - begun
        nemesis.relent()
        board.end()
        lost = list(_without_end(crew, directory))
        left = list(_left_behind(server))
    finally:
        server.stop()
        shutil.rmtree(data)
    history = parse(read_all(directory))
    return Report(
        seconds=seconds,
        history=history,
        faults=nemesis.done,
        replies_lost=proxy.swallowed,
        violations=[*check(history, models.trail()), *lost, *left],
    )


def _enough(plan: Plan, seconds: float, board: Board) -> bool:
    done = seconds >= plan.seconds and board.total >= plan.grants
    return done or seconds >= plan.seconds * PATIENCE


def _without_end(crew: Crew, directory: Path) -> Iterator[Violation]:
    deadline = time.monotonic() + LAST_ORDERS
    for member in crew.members:
        member.process.join(max(deadline - time.monotonic(), 0))
        if member.process.is_alive():
            member.say_where()
            time.sleep(1)
            member.kill()
            stacks = (directory / f"{member.name}.stacks").read_text()
            yield Violation("hung", f"{member.name} does not end\n{stacks}")
        elif member.process.exitcode:
            yield Violation("died", f"{member.name} ended with {member.process.exitcode}")


def _left_behind(server: Valkey) -> Iterator[Violation]:
    with redis.Redis(unix_socket_path=str(server.socket), db=LOCKS_DATABASE) as client:
        deadline = time.monotonic() + 2  # for sockets of dead processes to close
        while len(client.client_list()) > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        for key in client.scan_iter():
            if not key.endswith(b":s"):
                yield Violation("left behind", f"{key.decode()} ({client.type(key).decode()})")
        for channel in client.pubsub_channels():
            yield Violation("left behind", f"somebody listens on {channel.decode()}")
        for row in client.client_list()[1:]:
            yield Violation("left behind", f"connection {row}")
