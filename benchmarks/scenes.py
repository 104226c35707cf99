"""Calls through a breaker, in a process that holds its circuits: let through, refused, failing."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from functools import cache, partial
from typing import Any, NamedTuple

from redis import asyncio as aredis

from .breakers import LIBRARIES, Colour, Guard
from .store import client, url

# The seconds that so many calls take.
Timed = Callable[[int], float]

FEW, NEVER = 5, 1_000_000


class Scene(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    FAILING = "failing"


class Outage(Exception):
    """What a failing call meets."""


def work() -> None:
    pass


def fail() -> None:
    raise Outage


async def awork() -> None:
    pass


async def afail() -> None:
    raise Outage


class Act(NamedTuple):
    colour: Colour
    library: str
    scene: Scene

    @property
    def circuit(self) -> str:
        """Used for nothing else, in no other process."""
        return f"{self.library}, {self.colour}, {self.scene}, {os.getpid()}"


@cache
def calls(act: Act) -> Timed:
    colour, library, scene = act
    guard = LIBRARIES[colour][library](act.circuit, FEW if scene is Scene.OPEN else NEVER)
    works, fails = (work, fail) if colour is Colour.SYNC else (awork, afail)
    match scene:
        case Scene.CLOSED:
            return passing(colour, guard.around(works))
        case Scene.OPEN:
            _open(colour, guard, fails)
            return ending(colour, guard.around(works), guard.refusal)
        case Scene.FAILING:
            return ending(colour, guard.around(fails), Outage)


def bare(colour: Colour) -> Timed:
    """Calls that nothing guards."""
    return passing(colour, work if colour is Colour.SYNC else awork)


def trips(colour: Colour) -> Timed:
    """To the store and back, for one value."""
    if colour is Colour.SYNC:
        return passing(colour, partial(client().get, "trip"))
    return passing(colour, partial(aredis.Redis.from_url(url()).get, "trip"))


def _open(colour: Colour, guard: Guard, fails: Callable[[], Any]) -> None:
    # Some raise the refusal at once in place of the last straw.
    for _ in range(FEW):
        with suppress(Outage, guard.refusal):
            passing(colour, guard.around(fails))(1)


def passing(colour: Colour, call: Callable[[], Any]) -> Timed:
    if colour is Colour.SYNC:
        return partial(_pass, call)
    return lambda number: _loop().run(_apass(call, number))


def ending(colour: Colour, call: Callable[[], Any], error: type[Exception]) -> Timed:
    if colour is Colour.SYNC:
        return partial(_end, call, error)
    return lambda number: _loop().run(_aend(call, error, number))


@cache
def _loop() -> asyncio.Runner:
    """One for the process, because asynchronous clients belong to their loop."""
    return asyncio.Runner()


def _pass(call: Callable[[], Any], number: int) -> float:
    began = time.perf_counter()
    for _ in range(number):
        call()
    return time.perf_counter() - began


async def _apass(call: Callable[[], Awaitable[Any]], number: int) -> float:
    began = time.perf_counter()
    for _ in range(number):
        await call()
    return time.perf_counter() - began


def _end(call: Callable[[], Any], error: type[Exception], number: int) -> float:
    """Each call must end with ``error``.

    Its frames are let go, because purgatory raises one and the same error each time, which would
    collect them all.
    """
    began = time.perf_counter()
    for _ in range(number):
        try:
            call()
        except error as end:
            end.__traceback__ = None
            continue
        raise AssertionError(f"a call ended without {error.__name__}")
    return time.perf_counter() - began


async def _aend(call: Callable[[], Awaitable[Any]], error: type[Exception], number: int) -> float:
    began = time.perf_counter()
    for _ in range(number):
        try:
            await call()
        except error as end:
            end.__traceback__ = None
            continue
        raise AssertionError(f"a call ended without {error.__name__}")
    return time.perf_counter() - began
