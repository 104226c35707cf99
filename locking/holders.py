"""Who holds a lock, as far as the store tells."""

import asyncio
import json
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """``held_for`` is seconds of the store's clock, ``thread`` the operating system's number."""

    fence: int
    held_for: float
    host: str
    pid: int
    thread: int
    meta: Mapping[str, Any]


def parse(fence: int, held_for_us: int, actor: bytes, meta: bytes) -> Holder:
    host, pid, thread, *_ = actor.decode().split(":")
    return Holder(
        fence=fence,
        held_for=held_for_us / 1e6,
        host=host,
        pid=int(pid),
        thread=int(thread),
        meta=_printable(meta or b"{}"),
    )


def _printable(text: bytes) -> Any:
    """JSON can hold half of a surrogate pair, which nothing else can print."""
    found = json.loads(text.decode(errors="replace"))
    if b"\\u" not in text:
        return found
    pairs = json.dumps(found, ensure_ascii=False).encode("utf-16", "surrogatepass")
    return json.loads(pairs.decode("utf-16", "replace"))


class Identity(threading.local):
    """What this process calls itself, and each of its threads."""

    process = os.urandom(8).hex()
    numbers = count()

    def __init__(self) -> None:
        self.actor = self.named()

    def named(self) -> str:
        unit = f"{self.process}.{next(self.numbers)}"
        return f"{_host()}:{os.getpid()}:{threading.get_native_id()}:{unit}"


def process() -> str:
    return _identity.process


def actor() -> str:
    """The calling thread: host, pid, thread, and a name that no other thread ever has."""
    return _identity.actor


def task_actor() -> str:
    """The same for the running task."""
    task = asyncio.current_task()
    if task not in _tasks:
        _tasks[task] = _identity.named()
    return _tasks[task]


@cache
def _host() -> str:
    # Colon and space separate the fields of what the store keeps.
    return socket.gethostname().replace(":", "-").replace(" ", "-")


def _become_another() -> None:
    global _identity
    Identity.process = os.urandom(8).hex()
    _identity = Identity()
    _tasks.clear()


_identity = Identity()
_tasks: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
os.register_at_fork(after_in_child=_become_another)
