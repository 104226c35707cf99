"""What is wanted of a lock, apart from its name: many locks have the same."""

from dataclasses import dataclass, field

from .durability import Durability
from .durations import milliseconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Durations in seconds; ``alias`` is that of the cache whose server keeps the lock."""

    lease: float
    wait: float | None
    fair: bool
    renew: bool
    max_hold: float
    reentrant: bool
    hold_at_least: float
    cancel_on_lost: bool
    durability: Durability | None
    in_atomic: bool
    most_waiting: int
    alias: str
    quarantine: bool
    # As the scripts take them.
    lease_ms: int = field(init=False, repr=False)
    rules: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lease_ms", milliseconds(self.lease))
        object.__setattr__(self, "rules", f"{int(self.fair)} {self.most_waiting}")
