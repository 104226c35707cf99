"""What a server gave, and how long it may be used: values only, clocks are arguments."""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

# Renewal comes this long before the end, or a tenth of what is left if that is less; in seconds.
MARGIN, SHARE = 300.0, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    access_expires_at: float
    """Unix seconds, by the server's clock."""
    ahead: float | None
    """Seconds by which the server's clock is ahead of this host's; None when it told no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """All that outlives a process."""

    tokens: Tokens | None = None
    device_token: str | None = field(default=None, repr=False)

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Raises ValueError, which does not repeat the text."""
        if text is None:
            return cls()
        try:
            given: dict[str, Any] = json.loads(text)
            tokens = given["tokens"]
            return cls(
                tokens=None if tokens is None else Tokens(**tokens),
                device_token=given["device_token"],
            )
        except (ValueError, TypeError, KeyError):
            raise ValueError("the storage holds something else than tokens") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Tokens in use, with the moments that matter by this process's monotonic clock."""

    tokens: Tokens
    renew_at: float
    ends_at: float

    def put_off(self, until: float) -> Self:
        return replace(self, renew_at=until)


def hold(tokens: Tokens, *, wall: float, monotonic: float, chance: float) -> Held:
    """``chance`` from 0 to 1 spreads the renewals of a fleet that signed in together.

    The wall clock is looked at once: what it does later changes nothing.
    """
    if tokens.ahead is None:
        return Held(tokens=tokens, renew_at=math.inf, ends_at=math.inf)
    left = max(0.0, tokens.access_expires_at - (wall + tokens.ahead))
    margin = min(MARGIN, SHARE * left) * (1 + chance) / 2
    return Held(tokens=tokens, renew_at=monotonic + left - margin, ends_at=monotonic + left)
