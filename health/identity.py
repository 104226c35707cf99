"""Which process speaks; for privileged readers only."""

import socket
from dataclasses import dataclass
from datetime import UTC, datetime

from .conf import conf


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    node: str
    service: str
    release: str
    started: datetime


def node_name() -> str:
    return socket.gethostname()


def this_process() -> Identity:
    return Identity(
        node=node_name(),
        service=conf().service_id,
        release=conf().release,
        started=datetime.now(UTC),
    )
