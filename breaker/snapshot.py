"""What a process believes of one circuit: the only thing an admission reads."""

from dataclasses import replace
from time import monotonic

from .circuit import Seed, State
from .store import View

UNKNOWN = Seed(state=State.CLOSED, epoch=0)


class Snapshot:
    """One epoch of one circuit; only its counts change.

    ``oks`` is a list because its append is atomic and the fastest counter there is: callers
    append, the agent cuts off what it has seen. Successes of a past epoch vanish with it.
    """

    __slots__ = ("admits", "loaded", "oks", "refuse_until", "seed", "succeed")

    def __init__(self, seed: Seed, *, refuse_until: float = 0.0, loaded: bool) -> None:
        self.seed = seed
        self.loaded = loaded
        self.admits = loaded and seed.state is State.CLOSED
        self.refuse_until = refuse_until
        """Monotonic seconds."""
        self.oks: list[None] = []
        self.succeed = self.oks.append

    @property
    def state(self) -> State:
        return self.seed.state

    @property
    def epoch(self) -> int:
        return self.seed.epoch

    def memory(self) -> Seed:
        """What to tell a store that has lost this circuit."""
        remaining = max(self.refuse_until - monotonic(), 0) if self.state is State.OPEN else 0
        return replace(self.seed, remaining=int(remaining * 1000))

    def stale(self) -> "Snapshot":
        """The same belief, to be confirmed before it admits anything."""
        return Snapshot(self.seed, refuse_until=self.refuse_until, loaded=False)

    @classmethod
    def of(cls, view: View) -> "Snapshot":
        seed = Seed(
            state=view.state,
            epoch=view.epoch,
            attempt=view.attempt,
            opened_at=view.opened_at,
            last_error=view.last_error,
        )
        return cls(seed, refuse_until=monotonic() + view.remaining / 1000, loaded=True)

    def outlives(self, view: View) -> bool:
        """Whether the view is older than this, or the same closed epoch (whose counts we keep)."""
        if not self.loaded:
            return False
        return view.epoch < self.epoch or (
            self.admits and (view.state, view.epoch) == (self.state, self.epoch)
        )
