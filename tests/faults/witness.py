"""Sees when the store tells a waiter that it is in line, which the public API does not say."""

from collections.abc import Callable
from typing import Any

from locking import flows, scripts
from locking.attempts import granted
from locking.steps import Flow, Run, Step

from .actors import Recorder, operation


def watch(record: Recorder) -> None:
    flows.acquire = _seen(flows.acquire, record)


def _seen(acquire: Callable[..., Flow[Any]], record: Recorder) -> Callable[..., Any]:
    def flow(*args: Any, **kwargs: Any) -> Flow[Any]:
        inner = acquire(*args, **kwargs)
        step = next(inner)
        queued = not operation.get(0)
        try:
            while True:
                try:
                    reply = yield step
                except GeneratorExit:
                    inner.close()
                    raise
                except BaseException as error:
                    step = inner.throw(error)
                else:
                    if not queued and in_line(step, reply):
                        queued = True
                        record.note("queued")
                    step = inner.send(reply)
        except StopIteration as end:
            return end.value

    return flow


def in_line(step: Step, reply: Any) -> bool:
    asked = isinstance(step, Run) and step.script is scripts.ACQUIRE
    return asked and not granted(reply) and reply[0] == 0 and reply[6] >= 0
