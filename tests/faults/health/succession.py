"""The process that probes for its host is killed, stopped and woken, while others ask all the time.

Three things must hold: each outage has an end of false answers, each end of a prober has an heir,
and while all is well one process alone probes.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from tests.health.servers import Site

from .switch import Asked, Switch, asked, turn

# What is down this long may no longer be called well: the time of three looks.
BLIND_SECONDS = 3 * Switch.interval
# The server gives up on workers that die younger than 5.5 seconds.
GROWN_UP_SECONDS = 6.0
ASKERS = 3
PATIENCE = 60.0


class Answer(NamedTuple):
    asked: float
    status: int


class Tale:
    """What happened, and what was wrong with it."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.unanswered = 0
        self.gaps: list[float] = []
        self.wrong: list[str] = []
        self._outages: list[tuple[float, float]] = []
        self._down_since: float | None = None

    def down(self) -> None:
        turn(on=False)
        self._down_since = time.monotonic()

    def up(self) -> None:
        assert self._down_since is not None
        self._outages.append((self._down_since, time.monotonic()))
        turn(on=True)

    def false_passes(self) -> list[Answer]:
        """Asked and told to be well when it had been down for long enough to be known."""
        return [
            answer
            for answer in self.answers
            if answer.status == 200
            and any(since + BLIND_SECONDS < answer.asked < until for since, until in self._outages)
        ]


def play(site: Site, *, rounds: int, say: Callable[[str], object]) -> Tale:
    """``site`` runs with this package's settings, and its switch is on."""
    tale = Tale()
    with asking(site, tale):
        for number in range(rounds):
            kill(site, tale)
            stop_and_wake(site, tale)
            recycle(site)
            say(f"round {number + 1}: {len(tale.answers)} answers, {tale.unanswered} without\n")
        one_alone(tale)
    tale.wrong += [f"a false 200: {answer}" for answer in tale.false_passes()]
    return tale


@contextmanager
def asking(site: Site, tale: Tale, *, pause: float = 0.01) -> Iterator[None]:
    over = Event()
    askers = [Thread(target=_ask, args=(site, tale, over, pause)) for _ in range(ASKERS)]
    for asker in askers:
        asker.start()
    try:
        yield
    finally:
        over.set()
        for asker in askers:
            asker.join()


def _ask(site: Site, tale: Tale, over: Event, pause: float) -> None:
    while not over.wait(pause):
        began = time.monotonic()
        try:
            status, _ = site.get("/health", within=1.0)
        except (OSError, HTTPException):  # asked the one that is dead or stopped
            tale.unanswered += 1
        else:
            tale.answers.append(Answer(began, status))


def kill(site: Site, tale: Tale) -> None:
    """It is down, and stays so over the death of who has found that out."""
    tale.down()
    wait(lambda: site.get("/health")[0] == 503)
    prober = grown_up_prober()
    time.sleep(BLIND_SECONDS)
    gap = succession(prober, lambda: os.kill(prober, signal.SIGKILL))
    tale.gaps.append(gap)
    wait(lambda: len(site.workers()) == site.size)
    tale.up()
    wait(lambda: site.get("/health")[0] == 200)


def stop_and_wake(site: Site, tale: Tale) -> None:
    """It goes down unseen by who has been stopped, and who then must not tell what it knew."""
    prober = grown_up_prober()
    gap = succession(prober, lambda: os.kill(prober, signal.SIGSTOP))
    tale.gaps.append(gap)
    tale.down()
    time.sleep(2 * BLIND_SECONDS)
    os.kill(prober, signal.SIGCONT)
    time.sleep(BLIND_SECONDS)
    tale.up()
    wait(lambda: site.get("/health")[0] == 200)


def recycle(site: Site) -> None:
    before = set(site.workers())
    site.process.send_signal(signal.SIGHUP)
    wait(lambda: len(site.workers()) == site.size and not before & set(site.workers()))


def one_alone(tale: Tale) -> None:
    """Some time after the last disturbance."""
    wait(lambda: len(probers(BLIND_SECONDS)) == 1)
    since = time.monotonic()
    time.sleep(3 * Switch.interval)
    if len({one.pid for one in asked(since)}) != 1:
        tale.wrong.append(f"more than one process probed: {asked(since)}")


def succession(prober: int, end: Callable[[], None]) -> float:
    """Seconds until another process probes."""
    began = time.monotonic()
    end()
    return wait(lambda: [one for one in asked(began) if one.pid != prober])[0].at - began


def grown_up_prober() -> int:
    wait(lambda: len(probers(BLIND_SECONDS)) == 1)
    (pid,) = probers(BLIND_SECONDS)
    born = Path(f"/proc/{pid}").stat().st_ctime
    time.sleep(max(born + GROWN_UP_SECONDS - time.time(), 0))
    return pid


def probers(seconds: float) -> set[int]:
    return {one.pid for one in asked(time.monotonic() - seconds)}


def wait(happens: Callable[[], list[Asked] | bool]) -> list[Asked]:
    """What it said when it did."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if said := happens():
                return said if isinstance(said, list) else []
        except (OSError, HTTPException):
            pass
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)
