"""Performs the steps of ``votes`` on several stores at once, in two colours."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from .drivers import adrive, drive
from .errors import LockUnavailable
from .steps import Run, ask
from .votes import Everywhere, Flow, Pause

T = TypeVar("T")


def perform(flow: Flow[T], caches: Sequence[str]) -> T:
    try:
        step = next(flow)
        while True:
            try:
                reply = _perform(step, caches)
            except BaseException as error:
                step = flow.throw(error)
            else:
                step = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def _perform(step: Everywhere | Pause, caches: Sequence[str]) -> Any:
    match step:
        case Everywhere(run):
            with ThreadPoolExecutor(len(caches)) as threads:
                return list(threads.map(partial(_ask, run), caches))
        case Pause(seconds):
            return time.sleep(seconds)


def _ask(run: Run, alias: str) -> Any:
    try:
        return drive(ask(run), alias)
    except LockUnavailable as error:
        return error


async def aperform(flow: Flow[T], caches: Sequence[str]) -> T:
    try:
        step = next(flow)
        while True:
            try:
                reply = await _aperform(step, caches)
            except GeneratorExit:
                raise
            except BaseException as error:
                step = flow.throw(error)
            else:
                step = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def _aperform(step: Everywhere | Pause, caches: Sequence[str]) -> Any:
    match step:
        case Everywhere(run):
            return await asyncio.gather(*(_aask(run, alias) for alias in caches))
        case Pause(seconds):
            return await asyncio.sleep(seconds)


async def _aask(run: Run, alias: str) -> Any:
    try:
        return await adrive(ask(run), alias)
    except LockUnavailable as error:
        return error
