"""When a circuit opens, for how long, and what closes it again."""

from dataclasses import dataclass
from enum import StrEnum

from .bounds import LONGEST, number, whole
from .errors import PolicyError

COUNTS = (
    "failure_threshold",
    "minimum_calls",
    "half_open_permits",
    "success_threshold",
    "trip_quorum",
)
DURATIONS = (
    "window",
    "slow_call_seconds",
    "open_timeout",
    "max_open_timeout",
    "half_open_timeout",
)
MAY_BE_NONE = ("slow_call_seconds", "max_open_timeout", "failure_rate", "jitter")


class OnStoreError(StrEnum):
    """What a circuit does while the shared store is out of reach."""

    LOCAL = "local"
    """Goes on by what this process sees."""
    ALLOW = "allow"
    """Admits every call."""
    REJECT = "reject"
    """Refuses every call."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Durations are seconds.

    A circuit opens when, within ``window``, there were ``minimum_calls`` calls, and
    ``failure_threshold`` of them failed and, if set, at least a share of ``failure_rate``;
    or as many were slow, and at least a share of ``slow_rate``.
    """

    failure_threshold: int = 5
    minimum_calls: int = 1
    failure_rate: float | None = None
    consecutive: bool = False
    """Whether the failures must follow each other, with no success of any process between them.

    Processes tell of successes within a tenth of a second, so calls of one moment have no order.
    """
    slow_call_seconds: float | None = None
    """Calls that take longer are slow, also before they end: hung ones open the circuit too."""
    slow_rate: float = 0.5
    trip_quorum: int = 1
    """So many hosts must have met failures: one with a broken network opens nothing for all."""
    window: float = 60.0
    open_timeout: float = 60.0
    max_open_timeout: float | None = None
    """Upper end for ``backoff_factor`` and Retry-After; None is ten times ``open_timeout``."""
    backoff_factor: float = 1.0
    """Each opening in a row lasts this many times longer than the one before."""
    jitter: float | None = None
    """Up to this share is added to the open time; None is a tenth if there is a back-off."""
    half_open_permits: int = 1
    """Trial calls at one time, over all processes."""
    success_threshold: int = 1
    """Successful trial calls that close the circuit."""
    half_open_timeout: float = 600.0
    """A trial that takes longer has failed, so that half-open never lasts for ever."""

    on_store_error: OnStoreError = OnStoreError.LOCAL

    def __post_init__(self) -> None:
        if self.on_store_error not in tuple(OnStoreError):
            raise PolicyError(
                f"on_store_error is one of {', '.join(OnStoreError)}, not {self.on_store_error!r}."
            )
        # Settings and rows spell it as text.
        object.__setattr__(self, "on_store_error", OnStoreError(self.on_store_error))
        for name in COUNTS:
            whole(name, getattr(self, name))
        for name in DURATIONS:
            self._check_number(name, low=0.01, high=LONGEST)
        self._check_number("failure_rate", low=1e-6, high=1)
        self._check_number("slow_rate", low=1e-6, high=1)
        self._check_number("jitter", low=0, high=1)
        self._check_number("backoff_factor", low=1, high=1000)
        if type(self.consecutive) is not bool:
            raise PolicyError(f"consecutive must be true or false, not {self.consecutive!r}.")
        self._check_pairs()

    def _check_number(self, name: str, *, low: float, high: float) -> None:
        value = getattr(self, name)
        if value is not None or name not in MAY_BE_NONE:
            number(name, value, low=low, high=high)

    def _check_pairs(self) -> None:
        if self.max_open_timeout is not None and self.max_open_timeout < self.open_timeout:
            raise PolicyError(
                f"max_open_timeout ({self.max_open_timeout}) is below "
                f"open_timeout ({self.open_timeout})."
            )
        if self.consecutive and self.failure_rate is not None:
            raise PolicyError("Failures in a row have no rate: consecutive excludes failure_rate.")

    @property
    def open_ms(self) -> int:
        return round(self.open_timeout * 1000)

    @property
    def max_open_ms(self) -> int:
        longest = self.max_open_timeout or min(10 * self.open_timeout, LONGEST)
        return round(longest * 1000)

    @property
    def window_ms(self) -> int:
        return round(self.window * 1000)

    @property
    def jitter_share(self) -> float:
        if self.jitter is None:
            return 0.1 if self.backoff_factor > 1 else 0.0
        return self.jitter
