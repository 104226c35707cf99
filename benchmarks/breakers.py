"""A breaker of each library, as its own manual shows it, to be put around functions."""

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

from redis import asyncio as aredis

from breaker import CircuitOpenError, circuit_breaker

from .contenders import OURS
from .store import client, url

OPEN_FOR = 3600


class Guard(NamedTuple):
    """One circuit: the decorator, and what a call gets while it is open."""

    around: Callable[[Any], Any]
    refusal: type[Exception]


# The arguments are the circuit's name and how many failures open it.
Make = Callable[[str, int], Guard]


class Colour(StrEnum):
    SYNC = "sync"
    ASYNC = "async"


def _ours(name: str, failures: int, *, slow: float | None = None) -> Guard:
    around = circuit_breaker(
        name, failure_threshold=failures, open_timeout=OPEN_FOR, slow_call_seconds=slow
    )
    return Guard(around, CircuitOpenError)


def _circuitbreaker(name: str, failures: int) -> Guard:
    from circuitbreaker import CircuitBreakerError, circuit

    around = circuit(name=name, failure_threshold=failures, recovery_timeout=OPEN_FOR)
    return Guard(around, CircuitBreakerError)


def _pybreaker(name: str, failures: int, *, shared: bool = False) -> Guard:
    import pybreaker

    storage = pybreaker.CircuitRedisStorage("closed", client(), namespace=name) if shared else None
    around = pybreaker.CircuitBreaker(
        name=name, fail_max=failures, reset_timeout=OPEN_FOR, state_storage=storage
    )
    return Guard(around, pybreaker.CircuitBreakerError)


def _purgatory(name: str, failures: int) -> Guard:
    from purgatory import SyncCircuitBreakerFactory
    from purgatory.domain.model import OpenedState

    factory = SyncCircuitBreakerFactory(default_threshold=failures, default_ttl=OPEN_FOR)
    return Guard(factory(name), OpenedState)


def _async_purgatory(name: str, failures: int, *, shared: bool = False) -> Guard:
    from purgatory import AsyncCircuitBreakerFactory, AsyncRedisUnitOfWork
    from purgatory.domain.model import OpenedState

    factory = AsyncCircuitBreakerFactory(
        default_threshold=failures,
        default_ttl=OPEN_FOR,
        uow=AsyncRedisUnitOfWork(url()) if shared else None,
    )
    asyncio.run(factory.initialize())
    return Guard(factory(name), OpenedState)


def _interlock(name: str, failures: int, *, storage: Any = None) -> Guard:
    from interlock import CircuitBreaker, CircuitOpenError, Config

    # It opens by the rate of failures, and this is the number of calls from which it asks for it.
    config = Config(minimum_number_of_calls=failures, wait_duration_in_open=OPEN_FOR)
    return Guard(CircuitBreaker(name=name, config=config, storage=storage), CircuitOpenError)


def _interlock_redis(name: str, failures: int) -> Guard:
    from interlock.integrations.redis import RedisStorage

    return _interlock(name, failures, storage=RedisStorage(client()))


def _async_interlock_redis(name: str, failures: int) -> Guard:
    from interlock.integrations.redis import AsyncRedisStorage

    storage = AsyncRedisStorage(aredis.Redis.from_url(url()))
    return _interlock(name, failures, storage=storage)


# It watches how long calls take, as interlock-cb always does and no other can.
OURS_SLOW = "ours+slow calls"
CIRCUITBREAKER = "circuitbreaker"
PYBREAKER, PYBREAKER_REDIS = "pybreaker", "pybreaker+Redis"
PURGATORY, PURGATORY_REDIS = "purgatory", "purgatory+Redis"
INTERLOCK, INTERLOCK_REDIS = "interlock-cb", "interlock-cb+Redis"

SHARED = (PYBREAKER_REDIS, PURGATORY_REDIS, INTERLOCK_REDIS)
PEERS = (OURS_SLOW, CIRCUITBREAKER, PYBREAKER, PURGATORY, INTERLOCK, *SHARED)

# What is missing cannot do it: pybreaker knows coroutines of Tornado only, and purgatory's way to
# Redis awaits it.
LIBRARIES: Mapping[Colour, Mapping[str, Make]] = {
    Colour.SYNC: {
        OURS: _ours,
        OURS_SLOW: partial(_ours, slow=60.0),
        CIRCUITBREAKER: _circuitbreaker,
        PYBREAKER: _pybreaker,
        PURGATORY: _purgatory,
        INTERLOCK: _interlock,
        PYBREAKER_REDIS: partial(_pybreaker, shared=True),
        INTERLOCK_REDIS: _interlock_redis,
    },
    Colour.ASYNC: {
        OURS: _ours,
        OURS_SLOW: partial(_ours, slow=60.0),
        CIRCUITBREAKER: _circuitbreaker,
        PURGATORY: _async_purgatory,
        INTERLOCK: _interlock,
        PURGATORY_REDIS: partial(_async_purgatory, shared=True),
        INTERLOCK_REDIS: _async_interlock_redis,
    },
}
