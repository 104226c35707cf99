"""How often something happened lately. Times are Unix seconds."""

from collections import Counter, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
MOST = 10_000


class Recent(Generic[Key]):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._events: deque[tuple[float, Key]] = deque(maxlen=MOST)

    def note(self, key: Key, now: float) -> None:
        self._events.append((now, key))

    def counts(self, now: float) -> Counter[Key]:
        while self._events and now - self._events[0][0] > self._seconds:
            self._events.popleft()
        return Counter(key for _, key in self._events)
