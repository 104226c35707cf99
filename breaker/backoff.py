"""How long to wait before another attempt."""

from dataclasses import dataclass

from .bounds import number, whole
from .errors import PolicyError

DAY = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Exponential, with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015).

    Delays are seconds.
    """

    attempts: int = 3
    """The first one included."""
    delay: float = 0.1
    """Upper end of the first wait; each later one is twice the one before."""
    throttled_delay: float = 1.0
    """The same where the dependency said that it has enough."""
    max_delay: float = 20.0
    """No upper end is higher, and whoever asks for a longer wait gets no other attempt."""

    def __post_init__(self) -> None:
        whole("attempts", self.attempts, most=100)
        number("max_delay", self.max_delay, low=0, high=DAY)
        for name in ("delay", "throttled_delay"):
            number(name, getattr(self, name), low=0, high=DAY)
        if self.delay > self.max_delay:
            raise PolicyError(f"delay ({self.delay}) is above max_delay ({self.max_delay}).")

    def wait(self, attempt: int, *, throttled: bool, asked: float, random: float) -> float | None:
        """Seconds between ``attempt``, which was the first or a later one, and the next, if any.

        Never shorter than what the dependency ``asked`` for; ``random`` is from 0 to 1 and
        spreads those who were asked alike.
        """
        if attempt >= self.attempts or asked > self.max_delay:
            return None
        first = self.throttled_delay if throttled else self.delay
        return asked + random * min(self.max_delay, first * 2.0 ** (attempt - 1))
