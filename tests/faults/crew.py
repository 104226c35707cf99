"""The processes that fight, and their replacements."""

import itertools
import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

from .worker import Orders, run


@dataclass
class Member:
    name: str
    process: BaseProcess
    stopped: bool = False

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def kill(self) -> None:
        """Returns when it is dead, and not before."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.join()

    def stop(self) -> None:
        self.stopped = True
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        self.stopped = False
        if self.process.is_alive():
            os.kill(self.pid, signal.SIGCONT)

    def say_where(self) -> None:
        """Have it write the stacks of its threads."""
        os.kill(self.pid, signal.SIGUSR1)


class Crew:
    def __init__(self, orders: Orders, size: int, seed: int) -> None:
        # Forked from a process that has imported everything and holds nothing.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.nursery"])
        self._orders, self._seed = orders, seed
        self._numbers = itertools.count(1)
        self._names: dict[int, str] = {}
        self.members = [self._recruit() for _ in range(size)]

    def _recruit(self) -> Member:
        number = next(self._numbers)
        name = f"p{number}"
        process = self._context.Process(
            target=run, args=(self._orders, name, self._seed + number * 1000)
        )
        process.start()
        member = Member(name, process)
        self._names[member.pid] = name
        return member

    def replace(self, member: Member) -> None:
        self.members[self.members.index(member)] = self._recruit()

    def name(self, pid: int) -> str:
        return self._names.get(pid, "-")
