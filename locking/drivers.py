"""Performs the steps of a flow, in two colours; nothing is decided here.

What goes wrong is thrown into the flow, a cancellation and an interrupt too.
"""

from typing import TypeVar

from . import connections
from .flows import Flow
from .lines import AsyncLine, Line

T = TypeVar("T")


def drive(flow: Flow[T], alias: str) -> T:
    line = Line(connections.pool(alias))
    try:
        step = next(flow)
        while True:
            try:
                reply = line.perform(step)
            except BaseException as error:
                step = flow.throw(error)
            else:
                step = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        line.hang_up()


async def adrive(flow: Flow[T], alias: str) -> T:
    line = AsyncLine(await connections.async_pool(alias))
    try:
        step = next(flow)
        while True:
            try:
                reply = await line.perform(step)
            except GeneratorExit:
                raise
            except BaseException as error:
                step = flow.throw(error)
            else:
                step = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        await line.hang_up()
