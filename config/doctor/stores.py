"""The caches that no app's doctor looks at: each answers, and is not waited for too long."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import redis
from django.conf import settings
from django_redis import get_redis_connection

from accounts.conf import conf as accounts
from breaker.conf import conf as breaker
from health.findings import Finding
from locking.conf import conf as locking

from .ward import ward

LONGEST_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    alias: str
    failure: str = ""
    took: float = 0.0
    timeout: float | None = 0.5
    redis: bool = True


def examine() -> Iterator[Finding]:
    examined = {accounts().cache, breaker().cache, locking().cache}
    for alias in settings.CACHES:
        if alias not in examined:
            yield from judged(gather(alias))


def gather(alias: str) -> Facts:
    try:
        client = get_redis_connection(alias)
        began = time.monotonic()
        client.ping()
    except NotImplementedError:
        return Facts(alias=alias, redis=False)
    except redis.RedisError as error:
        return Facts(alias=alias, failure=str(error))
    return Facts(
        alias=alias,
        took=time.monotonic() - began,
        timeout=client.connection_pool.connection_kwargs.get("socket_timeout"),
    )


def judged(facts: Facts) -> Iterator[Finding]:
    called = f"Cache {facts.alias!r}"
    if not facts.redis:
        yield ward.warning(10, f"{called} is not on Redis.", "Limits of requests need one that is.")
        return
    if facts.failure:
        hint = "See to REDIS_URL and its password; without one, `manage.py up` has to run."
        yield ward.error(10, f"{called} does not answer: {facts.failure}", hint)
        return
    yield ward.ok(10, f"{called} answers in {facts.took * 1000:.1f} ms.")
    yield timeout(called, facts.timeout)


def timeout(called: str, seconds: float | None) -> Finding:
    hint = "Set SOCKET_TIMEOUT in the options of the cache to half a second or so."
    if seconds is None:
        return ward.warning(11, f"{called} has no time limit for a server that is silent.", hint)
    if seconds > LONGEST_TIMEOUT:
        return ward.warning(11, f"{called} waits {seconds:g} s for a server that is silent.", hint)
    return ward.ok(11, f"{called} waits {seconds:g} s for a server that is silent.")
