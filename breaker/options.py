"""The options of a circuit, as a caller spells them."""

from dataclasses import fields
from typing import Any, Literal, TypedDict

from .bounds import LONGEST
from .classify import Classify, RecordResult, RetryAfter, Rules
from .conf import POLICY_KEYS
from .policy import Policy

RULE_KEYS = frozenset(field.name for field in fields(Rules))


class Options(TypedDict, total=False):
    """See ``Policy`` and ``Rules``; what is left out comes from the BREAKER setting."""

    failure_threshold: int
    minimum_calls: int
    failure_rate: float | None
    consecutive: bool
    slow_call_seconds: float | None
    slow_rate: float
    trip_quorum: int
    window: float
    open_timeout: float
    max_open_timeout: float | None
    backoff_factor: float
    jitter: float | None
    half_open_permits: int
    success_threshold: int
    half_open_timeout: float
    on_store_error: Literal["local", "allow", "reject"]
    ignore: tuple[type[Exception], ...]
    record: tuple[type[Exception], ...]
    record_result: RecordResult | None
    classify: Classify | None
    retry_after: RetryAfter


def split(options: Options) -> tuple[dict[str, Any], Rules]:
    """The part for the policy, and the rules, both checked; raises PolicyError and TypeError."""
    given: dict[str, Any] = dict(options)
    for unknown in given.keys() - POLICY_KEYS - RULE_KEYS:
        raise TypeError(f"A circuit breaker has no option {unknown!r}.")
    policy = {key: given.pop(key) for key in POLICY_KEYS & given.keys()}
    _check(policy)
    return policy, Rules(**given)


def _check(policy: dict[str, Any]) -> None:
    # An end that the setting may yet supply must not clash with the one given here.
    if "open_timeout" not in policy:
        Policy(**{"open_timeout": 0.01, **policy})
    elif "max_open_timeout" not in policy:
        Policy(**{"max_open_timeout": LONGEST, **policy})
    else:
        Policy(**policy)
