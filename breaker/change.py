"""A transition, as the process that made it tells of it."""

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime

from .circuit import Reason, State
from .store import View
from .window import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    name: str
    epoch: int
    from_state: State
    to_state: State
    reason: Reason
    at: datetime
    attempt: int
    opened_at: datetime | None
    open_until: datetime | None
    tally: Tally
    """The window's calls at that moment."""
    last_error: str
    host: str
    pid: int


def change_of(name: str, view: View) -> Change | None:
    """The transition that was made by the operation the view answers, if there was one."""
    if view.came_from is None or view.reason is None:
        return None
    until = view.at + view.remaining if view.state is State.OPEN else 0
    return Change(
        name=name,
        epoch=view.epoch,
        from_state=view.came_from,
        to_state=view.state,
        reason=view.reason,
        at=datetime.fromtimestamp(view.at / 1000, UTC),
        attempt=view.attempt,
        opened_at=moment(view.opened_at),
        open_until=moment(until),
        tally=view.tally,
        last_error=view.last_error,
        host=socket.gethostname(),
        pid=os.getpid(),
    )


def moment(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
