"""The options of a circuit, as a caller spells them."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Literal, TypedDict

from django.conf import settings

from .classify import Classify, RecordResult, RetryAfter, Rules
from .conf import POLICY_KEYS, conf
from .errors import PolicyError
from .policy import Policy

SHORTEST = 0.01
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


def check_values(options: Mapping[str, Any]) -> None:
    """Whether a policy may have each of these, whatever the others are; raises PolicyError."""
    if not isinstance(options, Mapping):
        raise PolicyError("Options are an object: names and values.")
    for name, value in options.items():
        if name not in POLICY_KEYS:
            raise PolicyError(f"A policy has no option {name!r}.")
        Policy(**{"open_timeout": SHORTEST, name: value})


def faults(options: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with which of them, each taken for itself."""
    found = {}
    for name, value in options.items():
        try:
            check_values({name: value})
        except PolicyError as error:
            found[name] = str(error)
    return found


def _check(policy: dict[str, Any]) -> None:
    check_values(policy)
    if (base := _setting()) is None:
        # What the setting may yet supply must not clash with what is given here.
        base = Policy(open_timeout=SHORTEST)
    replace(base, **policy)


def _setting() -> Policy | None:
    """None if it cannot be told yet, or is wrong itself, which the system checks tell better.

    Decorators run at import: perhaps of the settings themselves, or in a program that
    configures them later. A clash is then met at the first call.
    """
    if not settings.configured:
        return None
    try:
        return conf().policy
    except (PolicyError, TypeError):
        return None
