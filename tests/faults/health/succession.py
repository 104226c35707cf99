"""The process that probes for its host is killed, stopped and woken, and all workers are renewed,
while others ask all the time.

Four things must hold: each outage has an end of false answers, whatever becomes of a prober there
is news within three intervals, no answer is other than documented, and while all is well one
process alone probes.
"""

import json
import os
import signal
import socket
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


# Code, word, and whether it says when to come back.
DOCUMENTED = {(200, "pass", False), (200, "warn", False), (503, "fail", True)}
REQUEST = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Answer(NamedTuple):
    """``age`` is that of what it tells."""

    asked: float
    status: int
    age: float
    documented: bool


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

    def statuses(self) -> set[int]:
        return {answer.status for answer in self.answers}

    def undocumented(self) -> list[Answer]:
        return [answer for answer in self.answers if not answer.documented]

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
            renew(site, tale)
            say(f"round {number + 1}: {len(tale.answers)} answers, {tale.unanswered} without\n")
        one_alone(tale)
    tale.wrong += [f"undocumented: {answer}" for answer in tale.undocumented()]
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
        try:
            tale.answers.append(ask(site))
        except OSError:  # asked the one that is dead or stopped
            tale.unanswered += 1


def ask(site: Site, *, within: float = 1.0) -> Answer:
    """By hand: thousands of times the library for it costs more than the server. Raises OSError."""
    asked = time.monotonic()
    with socket.create_connection(("127.0.0.1", site.port), timeout=within) as connection:
        connection.sendall(REQUEST)
        with connection.makefile("rb") as reply:
            head, _, body = reply.read().partition(b"\r\n\r\n")
    if not body:
        raise ConnectionAbortedError
    status, told = int(head[9:12]), json.loads(body)
    waits = b"retry-after:" in head.lower()
    return Answer(asked, status, told["age"], (status, told["status"], waits) in DOCUMENTED)


def kill(site: Site, tale: Tale) -> None:
    """It is down, and stays so over the death of who has found that out."""
    tale.down()
    wait(lambda: site.get("/health")[0] == 503)
    prober = grown_up_prober()
    time.sleep(BLIND_SECONDS)
    succession(site, tale, prober, signal.SIGKILL)
    wait(lambda: len(site.workers()) == site.size)
    tale.up()
    wait(lambda: site.get("/health")[0] == 200)


def stop_and_wake(site: Site, tale: Tale) -> None:
    """It goes down unseen by who has been stopped, and who then must not tell what it knew."""
    prober = grown_up_prober()
    succession(site, tale, prober, signal.SIGSTOP)
    tale.down()
    time.sleep(2 * BLIND_SECONDS)
    os.kill(prober, signal.SIGCONT)
    time.sleep(BLIND_SECONDS)
    tale.up()
    wait(lambda: site.get("/health")[0] == 200)


def renew(site: Site, tale: Tale) -> None:
    """It is down, and no worker that knows it is left in the end."""
    tale.down()
    wait(lambda: site.get("/health")[0] == 503)
    recycle(site)
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


def succession(site: Site, tale: Tale, prober: int, end: signal.Signals) -> None:
    """The gap is the time until an answer tells what was found since, and not by who has ended."""
    began = time.monotonic()
    os.kill(prober, end)
    wait(lambda: [one for one in asked(began) if one.pid != prober])
    wait(lambda: tells_since(site, began))
    tale.gaps.append(time.monotonic() - began)


def tells_since(site: Site, moment: float) -> bool:
    answer = ask(site, within=0.3)
    return answer.asked - answer.age > moment


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
