"""What a circuit has to tell the history: its own moves at once, untold ones of others later."""

from collections import deque
from time import monotonic

from .chance import uniform
from .change import Change, change_of
from .history import history
from .store import View

WITNESS_AFTER = (5.0, 10.0)
"""Seconds to wait for the row of another process's transition."""
MOST = 100


class Rumours:
    def __init__(self, name: str) -> None:
        self._name = name
        self._heard: deque[tuple[float, Change]] = deque(maxlen=MOST)

    def hear(self, view: View | None, *, since: int) -> None:
        """Of a transition that the view made, or of one made by others after epoch ``since``."""
        change = view and change_of(self._name, view)
        if not (view and change):
            return
        if view.moved:
            history.note(change)
        elif view.epoch > since:
            self._heard.append((monotonic() + uniform(*WITNESS_AFTER), change))

    def testify(self) -> None:
        """Whoever made a transition has had time to write it down, unless it was killed."""
        while self._heard and monotonic() >= self._heard[0][0]:
            history.confirm(self._heard.popleft()[1])
