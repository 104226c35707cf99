"""How many retries a process may add to the calls it makes of one dependency.

Without a budget three attempts make three calls out of each just when the dependency can bear
them least. The bucket is that of botocore's standard mode: what it holds lasts through a moment
of trouble, and then a retry is earned by so many calls that went well.
"""

from collections import deque
from fractions import Fraction
from functools import lru_cache
from itertools import repeat

from .bounds import number, whole
from .errors import PolicyError

NAMES = 1_000
FINEST = 100
"""Most tokens that a retry costs."""


class RetryBudget:
    """``burst`` retries at once, and beyond them ``share`` of the calls that go well.

    Tokens are entries of a deque, whose every operation is atomic: so it needs no lock, and a
    full bucket drops what it is given.
    """

    def __init__(self, *, burst: int = 100, share: float = 0.2) -> None:
        number("share", share, low=1 / FINEST, high=1)
        self.wage, self.price = Fraction(share).limit_denominator(FINEST).as_integer_ratio()
        """Of a call that went well at once, and of one retry, in tokens."""
        tokens = whole("burst", burst, most=10_000) * self.price
        self.timeout_price = min(2 * self.price, tokens)
        """Of one after a time-out, which has cost both sides more."""
        self._tokens: deque[None] = deque(repeat(None, tokens), maxlen=tokens)

    @property
    def tokens(self) -> int:
        return len(self._tokens)

    def spend(self, price: int) -> bool:
        """Whether there was as much; if not, nothing is spent."""
        for taken in range(price):
            try:
                self._tokens.pop()
            except IndexError:
                self._give(taken)
                return False
        return True

    def earn(self, price: int = 0) -> None:
        """For a call that went well at once, or with a retry of that ``price``."""
        self._give(price or self.wage)

    def _give(self, tokens: int) -> None:
        self._tokens.extend(repeat(None, tokens))


def checked(name: str, value: object) -> RetryBudget:
    if not isinstance(value, RetryBudget):
        raise PolicyError(f"{name} must be a RetryBudget, not {value!r}.")
    return value


@lru_cache(maxsize=NAMES)
def shared_budget(name: str) -> RetryBudget:
    """The one of this process for all that retry under the name."""
    return RetryBudget()
