"""The Lua scripts of a shared circuit, and a policy as they read it."""

import json
from functools import lru_cache
from hashlib import sha1
from importlib.resources import files
from typing import Any

import redis

from .policy import Policy

HOUR_MS = 3_600_000
Argument = str | bytes | int | float


class Script:
    """A script of some files; ``digest`` is what EVALSHA wants."""

    def __init__(self, *names: str) -> None:
        folder = files(__package__) / "lua"
        parts = [(folder / f"{name}.lua").read_text() for name in names]
        self.text = "\n".join(parts)
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@lru_cache
def script(*names: str) -> Script:
    return Script(*names)


def run(client: "redis.Redis", code: Script, keys: int, *arguments: Argument) -> Any:
    """The script's answer; the first ``keys`` of the arguments are keys."""
    try:
        return client.evalsha(code.digest, keys, *arguments)
    except redis.exceptions.NoScriptError:
        return client.eval(code.text, keys, *arguments)


@lru_cache
def policy_json(policy: Policy) -> str:
    return json.dumps(
        {
            "failure_threshold": policy.failure_threshold,
            "minimum_calls": policy.minimum_calls,
            "failure_rate": policy.failure_rate or 0,
            "consecutive": policy.consecutive,
            "slow_rate": policy.slow_rate,
            "trip_quorum": policy.trip_quorum,
            "window_ms": policy.window_ms,
            "open_ms": policy.open_ms,
            "max_open_ms": policy.max_open_ms,
            "backoff_factor": policy.backoff_factor,
            "jitter_share": policy.jitter_share,
            "half_open_permits": policy.half_open_permits,
            "success_threshold": policy.success_threshold,
            # A circuit outlives everything it still has to remember.
            "ttl_ms": max(2 * policy.max_open_ms + policy.window_ms, HOUR_MS),
        }
    )
