"""Performs the steps of a flow, in two colours; nothing is decided here.

What goes wrong is thrown into the flow, a cancellation and an interrupt too.
"""

from typing import Any, TypeVar

from . import connections
from .connections import AnyAsyncLine, AnyLine
from .steps import Await, Flow, Listen, Run, Settle, Step
from .waiting import TaskSeat, ThreadSeat

T = TypeVar("T")


def drive(flow: Flow[T], alias: str) -> T:
    line, seat = connections.line(alias), ThreadSeat(alias)
    try:
        step = next(flow)
        while True:
            try:
                reply = _perform(step, line, seat)
            except BaseException as error:
                step = flow.throw(error)
            else:
                step = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        seat.leave()
        line.hang_up()


def _perform(step: Step, line: AnyLine, seat: ThreadSeat) -> Any:
    match step:
        case Run():
            return line.run(step)
        case Listen():
            if seat.take(step):
                seat.wait(step.seconds)
            return seat.news
        case Await():
            seat.wait(step.seconds)
            return seat.news, seat.fence
        case Settle():
            return line.settle(step)


async def adrive(flow: Flow[T], alias: str) -> T:
    line, seat = await connections.async_line(alias), TaskSeat(alias)
    try:
        step = next(flow)
        while True:
            try:
                reply = await _aperform(step, line, seat)
            except GeneratorExit:
                raise
            except BaseException as error:
                step = flow.throw(error)
            else:
                step = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        seat.leave()
        await line.hang_up()


async def _aperform(step: Step, line: AnyAsyncLine, seat: TaskSeat) -> Any:
    match step:
        case Run():
            return await line.run(step)
        case Listen():
            if seat.take(step):
                await seat.wait(step.seconds)
            return seat.news
        case Await():
            await seat.wait(step.seconds)
            return seat.news, seat.fence
        case Settle():
            return await line.settle(step)
