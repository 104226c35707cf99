"""So many places in this process, and a line before them, for threads and tasks alike.

There is no lock: each step is one atomic act of a deque or a list. So a finalizer that gives a
place back in the middle of another step meets nothing half done, and neither does a fork.
"""

import asyncio
import threading
from collections import deque
from contextlib import suppress
from itertools import repeat


class Waiter:
    __slots__ = ("_undecided",)

    def __init__(self) -> None:
        self._undecided = [None]

    def decide(self) -> bool:
        """Whether nobody else has decided: one admits it, or it goes away, but not both."""
        try:
            self._undecided.pop()
        except IndexError:
            return False
        return True

    def admit(self) -> bool:
        """From any thread; False if it has gone."""
        if not self.decide():
            return False
        try:
            self.ring()
        except RuntimeError:  # its loop is closed
            self._undecided.append(None)
            return False
        return True

    def ring(self) -> None:
        raise NotImplementedError


class ThreadWaiter(Waiter):
    __slots__ = ("_bell",)

    def __init__(self) -> None:
        super().__init__()
        self._bell = threading.Lock()
        self._bell.acquire()

    def ring(self) -> None:
        self._bell.release()

    def wait(self, seconds: float) -> None:
        self._bell.acquire(timeout=seconds)


class TaskWaiter(Waiter):
    __slots__ = ("_bell", "_loop")

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._bell = self._loop.create_future()

    def ring(self) -> None:
        self._loop.call_soon_threadsafe(self._bell.set_result, None)

    async def wait(self, seconds: float) -> None:
        await asyncio.wait([self._bell], timeout=seconds)


class Places:
    def __init__(self, count: int) -> None:
        self.count = count
        self.clear()

    def clear(self) -> None:
        # The length is bounded because in a forked child the one who forked may yet give back
        # a place that was the parent's.
        self._free: deque[None] = deque(repeat(None, self.count), maxlen=self.count)
        self._line: deque[Waiter] = deque()

    @property
    def taken(self) -> int:
        return self.count - len(self._free)

    @property
    def waiting(self) -> int:
        return len(self._line)

    def take(self) -> bool:
        """A place that is free, and that nobody waits for."""
        if self._line:
            return False
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def give_back(self) -> None:
        self._free.append(None)
        self._serve()

    def join(self, waiter: Waiter) -> None:
        self._line.append(waiter)
        self._serve()

    def leave(self, waiter: Waiter) -> bool:
        """Whether it left without having been admitted."""
        if not waiter.decide():
            return False
        with suppress(ValueError):
            self._line.remove(waiter)
        return True

    def _serve(self) -> None:
        # Looks again after each step, for what others did meanwhile and left to this.
        while self._line:
            try:
                self._free.pop()
            except IndexError:
                return
            if not self._admit_first():
                self._free.append(None)

    def _admit_first(self) -> bool:
        try:
            return self._line.popleft().admit()
        except IndexError:
            return False
