"""Who holds a lock, as far as the store tells."""

import json
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any


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
        meta=json.loads(meta or "{}"),
    )


def actor() -> str:
    return f"{_host()}:{os.getpid()}:{threading.get_native_id()}"


@cache
def _host() -> str:
    # Colon and space separate the fields of what the store keeps.
    return socket.gethostname().replace(":", "-").replace(" ", "-")
