"""A transition, as the process that made it tells of it, or one that learned of it."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from .circuit import Override, State
from .conf import conf
from .store import View
from .window import NOTHING, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """States are the words callers meet: a ``State``, or an ``Override`` that goes before it."""

    name: str
    epoch: int
    from_state: str
    to_state: str
    reason: str
    """A ``Reason``, or an operator's own words."""
    actor: str
    """The operator; empty if the circuit moved by itself."""
    at: datetime
    state: State
    """Under an override, if there is one."""
    override: Override | None
    override_until: datetime | None
    attempt: int
    opened_at: datetime | None
    open_until: datetime | None
    tally: Tally
    """The window's calls at that moment."""
    last_error: str
    host: str
    """Where it was made; '' and ``pid`` 0 if another process made it and died of telling."""
    pid: int


def change_of(name: str, view: View) -> Change | None:
    """The last transition, made by the operation the view answers or learned of by it.

    None if there was none, or if the store knows of it from somebody's memory only.
    """
    if not view.came_from:
        return None
    lasts = view.override_remaining
    return Change(
        name=name,
        epoch=view.epoch,
        from_state=view.came_from,
        to_state=view.word,
        reason=view.reason,
        actor=view.actor,
        at=datetime.fromtimestamp(view.since / 1000, UTC),
        state=view.state,
        override=view.override,
        override_until=moment(view.at + lasts if lasts else 0),
        attempt=view.attempt,
        opened_at=moment(view.opened_at),
        open_until=moment(view.at + view.remaining if view.state is State.OPEN else 0),
        tally=view.tally if view.moved else NOTHING,
        last_error=view.last_error,
        host=conf().host if view.moved else "",
        pid=os.getpid() if view.moved else 0,
    )


def moment(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
