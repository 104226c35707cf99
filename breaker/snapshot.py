"""What a process believes of one circuit: the only thing an admission reads."""

from dataclasses import replace
from math import inf
from time import monotonic

from .circuit import Override, State
from .counts import Counts
from .policy import Policy
from .seed import Seed
from .store import View

UNKNOWN = Seed(state=State.CLOSED, epoch=0, base=0)
ADMITTING = (Override.DISABLED, Override.METRICS_ONLY)
REFUSING = (State.OPEN, Override.FORCED_OPEN)
WITHOUT_STORE = 1.0
"""Seconds to refuse before asking again whether the store is back."""


class Snapshot:
    """One epoch of one circuit; only its counts change. Times are monotonic seconds."""

    __slots__ = (
        "admits", "counts", "due", "loaded", "patience", "refuse_until", "refuses", "seed",
        "slow_after", "suspended", "until", "word",
    )  # fmt: skip

    def __init__(
        self, seed: Seed, policy: Policy, *, due: float = 0.0, until: float = inf, loaded: bool
    ) -> None:
        self.seed = seed
        self.loaded = loaded
        self.suspended = False
        """Whether it stands in for a store out of reach."""
        self.due = due
        """The first trial, while open."""
        self.until = until
        """The end of the override."""
        self.refuse_until = until if seed.override is Override.FORCED_OPEN else due
        self.patience = policy.open_timeout
        """What to ask of refused callers when nobody knows the end."""
        self.slow_after = policy.slow_call_seconds
        self.counts = Counts()
        self.word = seed.override or seed.state
        self.admits = loaded and (self.word is State.CLOSED or self.word in ADMITTING)
        self.refuses = loaded and self.word in REFUSING
        """Whether there is nothing to ask before ``refuse_until``, wherever the call comes from."""

    @property
    def state(self) -> State:
        return self.seed.state

    @property
    def epoch(self) -> int:
        return self.seed.epoch

    @property
    def base(self) -> int:
        """The last epoch that was known to be shared."""
        return self.seed.epoch if self.seed.base is None else self.seed.base

    def memory(self) -> Seed:
        """What to tell a store that has lost this circuit."""
        now = monotonic()
        due = self.due - now if self.state is State.OPEN else 0
        until = max(self.until - now, 0.001) if self.until < inf else 0
        return replace(
            self.seed, remaining=int(max(due, 0) * 1000), override_remaining=int(until * 1000)
        )

    def lapsed(self) -> bool:
        """Whether the time of an override is over."""
        return monotonic() >= self.until

    def stale(self, policy: Policy) -> "Snapshot":
        """The same belief, to be confirmed before it admits anything."""
        return Snapshot(self.seed, policy, due=self.due, until=self.until, loaded=False)

    def without_store(self, policy: Policy, *, admits: bool) -> "Snapshot":
        """What to do instead of asking, remembering what was known.

        An operator's word goes before that, too, while it lasts.
        """
        standing = Snapshot(self.seed, policy, due=self.due, until=self.until, loaded=True)
        standing.suspended = True
        if standing.seed.override is None or standing.lapsed():
            standing.admits, standing.refuses = admits, not admits
            standing.refuse_until = monotonic() + WITHOUT_STORE
        return standing

    @classmethod
    def of(cls, view: View, policy: Policy, *, base: int) -> "Snapshot":
        """``base`` is the last epoch that was known to be shared."""
        now = monotonic()
        seed = Seed(
            state=view.state,
            epoch=view.epoch,
            override=view.override,
            attempt=view.attempt,
            opened_at=view.opened_at,
            last_error=view.last_error,
            reason=view.reason,
            actor=view.actor,
            base=view.epoch if view.shared else base,
        )
        lasts = view.override_remaining
        until = now + lasts / 1000 if lasts else inf
        return cls(seed, policy, due=now + view.remaining / 1000, until=until, loaded=True)

    def outlives(self, view: View) -> bool:
        """Whether the view is older than this, or the same that admits (whose counts we keep)."""
        if not self.loaded or self.suspended or view.overrules:
            return False
        return view.epoch < self.epoch or (self.admits and view.epoch == self.epoch)
