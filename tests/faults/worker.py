"""A process full of actors. It may be killed or stopped at any instruction."""

import asyncio
import faulthandler
import itertools
import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from django.db import connections
from django_redis import get_redis_connection

from config.children import end_with_parent
from locking import listening, lock

from . import witness
from .actors import AsyncPlayer, Over, Player, Recorder, operation
from .board import Board
from .journal import Journal, now
from .plays import Play, Wish, asked, share, some_play, wish

# After the battle a hand-over must come by the listener, not by the safety poll after seconds.
PROMPT = 2.0
# A listener that lost its connection comes back within so many seconds.
RECOVERY = 5.0
MOST_FILES = 120


@dataclass(frozen=True, kw_only=True)
class Orders:
    """``threads`` and ``tasks``: actors of each colour in one process."""

    directory: Path
    names: list[str]
    threads: int = 3
    tasks: int = 8


def run(orders: Orders, name: str, seed: int) -> None:
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with (orders.directory / f"{name}.stacks").open("w") as stacks:
        faulthandler.register(signal.SIGUSR1, stacks)
        Worker(orders, name, seed).run()
        os._exit(0)


class Errors(logging.Handler):
    """What the locks' own threads survive, nobody but the log is told."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.ERROR)
        self.journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info and record.exc_info[1]
        self.journal.note("problem", 0, *(repr(error) if error else record.getMessage()).split())


class Worker:
    def __init__(self, orders: Orders, name: str, seed: int) -> None:
        self.orders, self.name, self.seed = orders, name, seed
        self.journal = Journal(orders.directory / f"{name}.log")
        self.board = Board(orders.directory / "board")
        self.record = Recorder(self.journal, self.board.counter(int(name[1:])))
        self.numbers = itertools.count(1)
        witness.watch(self.record)
        logging.getLogger("locking").addHandler(Errors(self.journal))

    def run(self) -> None:
        threads = [
            threading.Thread(target=self.act, args=(Random(self.seed + number),))
            for number in range(self.orders.threads)
        ]
        for thread in threads:
            thread.start()
        with asyncio.Runner() as runner:
            runner.run(self.act_as_tasks())
            for thread in threads:
                thread.join()
            try:
                words = [*self.closing(), *runner.run(self.async_closing())]
            except BaseException:
                words = ["error"]
                self.complain()
        self.journal.note("end", 0, *(words or ["ok"]))

    def operations(self) -> Iterator[int]:
        while not self.board.over:
            yield next(self.numbers)

    def act(self, dice: Random) -> None:
        player = Player(self.record)
        for number in self.operations():
            operation.set(number)
            play = some_play(wish(dice, self.orders.names), dice)
            try:
                step = next(play)
                while True:
                    step = play.send(player.perform(step))
            except (StopIteration, Over):
                play.close()
            except Exception:
                self.complain()
        connections.close_all()

    async def act_as_tasks(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self.orders.tasks):
                group.create_task(self.aact(Random(self.seed + 100 + number)))

    async def aact(self, dice: Random) -> None:
        player = AsyncPlayer(self.record)
        for number in self.operations():
            operation.set(number)
            play: Play = some_play(wish(dice, self.orders.names), dice)
            try:
                step = next(play)
                while True:
                    step = play.send(await player.perform(step))
            except (StopIteration, Over):
                play.close()
            except Exception:
                self.complain()

    def complain(self) -> None:
        text = traceback.format_exc()
        self.journal.note("problem", operation.get(0), *text.splitlines()[-1].split())
        with (self.orders.directory / f"{self.name}.trace").open("a") as file:
            file.write(f"#{operation.get(0)}\n{text}\n")

    def closing(self) -> Iterator[str]:
        """What does not work any more after all that this process has been through."""
        for name in self.orders.names:
            last = Wish(name, 20, 30, True, *share(Random(0), name))
            asked(last).acquire().release()
        mine = lock(f"end:{self.name}", wait=20)
        lease, granted = mine.acquire(), []
        waiter = threading.Thread(target=lambda: granted.append((mine.acquire(), now())))
        waiter.start()
        threading.Event().wait(0.2)
        begun = now()
        lease.release()
        waiter.join()
        if granted[0][1] - begun > PROMPT * 1e9:
            yield "slow"
        if not self.listens():
            yield "deaf"
        granted[0][0].release()
        if (files := len([*Path("/proc/self/fd").iterdir()])) > MOST_FILES:
            yield f"{files}-files"

    def listens(self) -> bool:
        """Waiters would be served without, by asking again and again."""
        store, channel = get_redis_connection("locks"), listening.channel("locks", "lock:{end}:l")
        deadline = now() + RECOVERY * 1e9
        while not store.pubsub_numsub(channel)[0][1]:
            if now() > deadline:
                return False
            time.sleep(0.01)
        return True

    async def async_closing(self) -> list[str]:
        mine = lock(f"end:{self.name}:async", wait=20)
        lease = await mine.aacquire()
        waiter = asyncio.create_task(mine.aacquire())
        await asyncio.sleep(0.2)
        begun = now()
        await lease.arelease()
        await (await waiter).arelease()
        return ["slow-async"] if now() - begun > PROMPT * 1e9 else []
