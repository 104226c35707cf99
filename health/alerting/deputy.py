"""Waits for what may hang, so that nobody else has to."""

from collections.abc import Callable
from queue import Empty, Queue
from threading import Lock, Thread
from typing import NoReturn, TypeVar

from django.db import connections

Value = TypeVar("Value")


class Unanswered(Exception):
    """It took too long, or what was asked before still has not come to an end."""


class Deputy:
    """One thread at most, and only while there is something to wait for."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._busy = Lock()

    def attempt(self, call: Callable[[], Value], *, timeout: float) -> Value:
        """What ``call`` returns or raises; Unanswered after ``timeout`` seconds."""
        if not self._busy.acquire(blocking=False):
            raise Unanswered
        # Not a SimpleQueue: that of CPython 3.11 may sleep on in get() when its time is over.
        answer: Queue[Callable[[], Value]] = Queue()
        Thread(target=self._work, args=(call, answer), name=self._name, daemon=True).start()
        try:
            return answer.get(timeout=timeout)()
        except Empty:
            raise Unanswered from None

    def _work(self, call: Callable[[], Value], answer: "Queue[Callable[[], Value]]") -> None:
        try:
            told = _answer(call)
        finally:
            connections.close_all()
            # Before the answer is out, so that who has it may ask the next thing.
            self._busy.release()
        answer.put(told)


def _answer(call: Callable[[], Value]) -> Callable[[], Value]:
    try:
        value = call()
    except Exception as error:
        # Raised where it was asked for.
        return _raiser(error)
    return lambda: value


def _raiser(error: Exception) -> Callable[[], NoReturn]:
    def throw() -> NoReturn:
        raise error

    return throw
