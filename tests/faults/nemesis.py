"""What goes wrong, when, and to whom; all of it on record.

Runs in the conductor's main thread. A fault that lasts is ended by an appointment.
"""

import heapq
import itertools
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import redis

from tests.servers import Valkey

from .crew import Crew
from .journal import Journal
from .plays import LONGEST_LEASE
from .proxy import Bad, Proxy, Wire

# Seconds between two faults.
PAUSE = (0.2, 0.8)


class Nemesis:
    def __init__(
        self, journal: Journal, crew: Crew, proxy: Proxy, server: Valkey, data: Path, dice: Random
    ) -> None:
        self.journal, self.crew, self.proxy, self.dice = journal, crew, proxy, dice
        self.server, self.data = server, data
        self.done: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._appointments: list[tuple[float, int, Callable[[], None]]] = []
        self._faults: dict[Callable[[], None], int] = {
            self.kill: 6,
            self.stop: 3,
            self.flush: 2,
            self.restart: 2,
            self.restart_empty: 1,
            self.forget_scripts: 2,
            self.pause_server: 1,
            self.drop: 4,
            self.break_: 4,
            self.cut: 3,
            self.stall: 3,
            self.lag: 4,
        }

    def rage(self, enough: Callable[[], bool]) -> None:
        deck: list[Callable[[], None]] = []
        while not enough():
            # Dealt like cards, so that each comes up in any battle of some length.
            deck = deck or self._shuffled()
            deck.pop()()
            self._let(self.dice.uniform(*PAUSE))

    def _shuffled(self) -> list[Callable[[], None]]:
        deck = [fault for fault, often in self._faults.items() for _ in range(often)]
        self.dice.shuffle(deck)
        return deck

    def relent(self) -> None:
        """End all that still lasts."""
        while self._appointments:
            heapq.heappop(self._appointments)[2]()
        self.proxy.heal()

    def _let(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            if self._appointments and self._appointments[0][0] <= now:
                heapq.heappop(self._appointments)[2]()
            else:
                due = self._appointments[0][0] if self._appointments else until
                time.sleep(max(min(due, until) - now, 0))

    def _at(self, seconds: float, act: Callable[[], None]) -> None:
        due = time.monotonic() + seconds
        heapq.heappush(self._appointments, (due, next(self._numbers), act))

    def _begin(self, kind: str, target: str = "-") -> Callable[[], None]:
        number = next(self._numbers)
        self.done[kind] += 1
        self.journal.note("begin", number, kind, target)
        return lambda: self.journal.note("over", number, kind, target)

    def kill(self) -> None:
        victim = self.dice.choice(self.crew.members)
        over = self._begin("kill", victim.name)
        victim.kill()
        over()
        self.crew.replace(victim)

    def stop(self) -> None:
        """For longer than any lease, so that it wakes up as a stale holder."""
        victim = self.dice.choice(self.crew.members)
        if victim.stopped:
            return
        over = self._begin("stop", victim.name)
        victim.stop()

        def resume() -> None:
            # On record as stopped until it surely runs again.
            victim.resume()
            over()

        self._at(LONGEST_LEASE * self.dice.uniform(1.1, 1.6), resume)

    def flush(self) -> None:
        over = self._begin("flush")
        with self._client() as client:
            client.flushall()
        over()

    def forget_scripts(self) -> None:
        over = self._begin("scripts")
        with self._client() as client:
            client.script_flush()
        over()

    def restart(self) -> None:
        over = self._begin("restart")
        self.server.restart()
        over()

    def restart_empty(self) -> None:
        over = self._begin("restart-empty")
        self.server.stop()
        shutil.rmtree(self.data / "appendonlydir")
        self.server.restart()
        over()

    def pause_server(self) -> None:
        over = self._begin("pause")
        self.server.pause()

        def resume() -> None:
            self.server.resume()
            over()

        self._let(self.dice.uniform(0.2, 1.5))
        resume()

    def drop(self) -> None:
        self._harm(Bad.DROP)

    def break_(self) -> None:
        self._harm(Bad.BREAK)

    def cut(self) -> None:
        self._harm(Bad.CUT)

    def stall(self) -> None:
        self._harm(Bad.STALL, seconds=self.dice.uniform(0.1, 1.5))

    def lag(self) -> None:
        self._harm(Bad.LAG, seconds=self.dice.uniform(0.1, 1.5))

    def _harm(self, bad: Bad, *, seconds: float = 0.0) -> None:
        ends: dict[Wire, Callable[[], None]] = {}

        def pick(wires: list[Wire]) -> list[Wire]:
            return self.dice.sample(wires, min(len(wires), self.dice.choice((1, 2, 5))))

        def touched(wire: Wire) -> None:
            ends[wire] = self._begin(bad.name.lower(), self.crew.name(wire.pid))

        self.proxy.harm(
            bad, pick, seconds=seconds, touched=touched, healed=lambda wire: ends.pop(wire)()
        )

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.server.socket))
