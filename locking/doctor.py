"""Is the store fit to keep locks? Facts in, findings out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import redis

from .conf import conf
from .facts import Facts, gather

OLDEST_VERSION = (6, 2)
# Seconds by which clocks that somebody sets may differ.
LARGEST_OFFSET = 1.0


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``hint`` is what to do about it."""

    id: str
    level: Level
    message: str
    hint: str = ""


def examine() -> Iterator[Finding]:
    """All findings, good ones too, in the order of their ids."""
    try:
        facts = gather()
    except redis.RedisError as error:
        hint = "See to its address, its password and the network."
        yield _error(1, f"The lock store does not answer: {error}", hint)
        return
    except NotImplementedError:
        hint = "Point LOCKING['CACHE'] to one that is."
        yield _error(1, f"Cache {conf().cache!r} is not a django-redis cache.", hint)
        return
    yield _ok(1, "The lock store answers.")
    yield from judged(facts)


def judged(facts: Facts) -> Iterator[Finding]:
    for judge in (
        version, role, eviction, clearing, persistence, replicas, clock, news, path, timeout,
        rights,
    ):  # fmt: skip
        yield judge(facts)


def version(facts: Facts) -> Finding:
    name = facts.info.get("server_name", "redis")
    text = str(facts.info.get(f"{name}_version", facts.info.get("redis_version", "")))
    compatible = str(facts.info.get("redis_version", ""))
    if not compatible:
        return _warning(2, "The server does not tell its version.", "Locks need 6.2 or later.")
    numbers = tuple(int(part) for part in compatible.split(".")[:2])
    if numbers < OLDEST_VERSION:
        return _error(2, f"The server is {name} {text}.", "Locks need 6.2 or later.")
    return _ok(2, f"The server is {name} {text}.")


def role(facts: Facts) -> Finding:
    if facts.info.get("role") == "slave":
        hint = "Point the cache to the primary, or to Sentinel."
        return _error(3, "The server is a replica; it grants no locks.", hint)
    return _ok(3, "The server is a primary.")


def eviction(facts: Facts) -> Finding:
    policy, limit = facts.info.get("maxmemory_policy"), facts.info.get("maxmemory")
    hint = "Set maxmemory-policy to noeviction."
    if policy is None:
        return _warning(4, "The server does not tell what it does when it is full.", hint)
    if policy == "noeviction":
        return _ok(4, "A full server refuses locks instead of forgetting some.")
    if limit:
        return _error(4, f"A full server forgets locks that are held ({policy}).", hint)
    return _warning(4, f"With a memory limit the server would forget locks ({policy}).", hint)


def clearing(facts: Facts) -> Finding:
    hint = "Give the locks a database of their own: cache.clear() is FLUSHDB."
    if facts.sharing:
        others = ", ".join(map(repr, facts.sharing))
        return _error(5, f"Clearing cache {others} forgets all locks.", hint)
    if facts.alias == "default":
        return _error(5, "Clearing the default cache forgets all locks.", hint)
    return _ok(5, "No other cache shares the database of the locks.")


def persistence(facts: Facts) -> Finding:
    if facts.info.get("aof_enabled"):
        return _ok(6, "The server keeps its locks over a restart (append-only file).")
    hint = "Set appendonly to yes, or see that database writes check the fence."
    saved = facts.config and facts.config.get("save")
    if saved:
        return _warning(6, "A restart forgets the locks granted since the last snapshot.", hint)
    return _warning(6, "A restart forgets all locks that are held.", hint)


def replicas(facts: Facts) -> Finding:
    if not facts.info.get("connected_slaves"):
        return _ok(7, "The server has no replicas that a failover could promote.")
    if facts.config is None:
        return _warning(7, "A failover may forget locks.", "Set min-replicas-to-write to 1.")
    if int(facts.config.get("min-replicas-to-write", 0)):
        return _ok(7, "The server grants no locks when it has lost its replicas.")
    hint = "Set min-replicas-to-write to 1, so that a primary cut off stops granting locks."
    return _warning(7, "A primary cut off from its replicas goes on granting locks.", hint)


def clock(facts: Facts) -> Finding:
    if abs(facts.offset) <= LARGEST_OFFSET:
        return _ok(8, f"The clocks differ by {abs(facts.offset) * 1000:.0f} ms.")
    hint = "Leases do not depend on it, but fences after data loss do: run a time service on both."
    return _warning(8, f"The store's clock is {facts.offset:+.1f} s from this one.", hint)


def news(facts: Facts) -> Finding:
    if facts.heard:
        return _ok(9, "News reaches this process.")
    if facts.heard is None:
        hint = f"Allow it: ACL SETUSER … &{conf().prefix}:* +publish +subscribe."
        return _warning(9, "The server refuses channels, so that waiters have to poll.", hint)
    hint = "See whether something between drops published messages."
    return _warning(9, "News does not reach this process, so that waiters have to poll.", hint)


def path(facts: Facts) -> Finding:
    if len(facts.servers) > 1:
        hint = "Locks need one primary; no load balancer may stand before several."
        return _error(10, "Connections reach different servers.", hint)
    if facts.ports and facts.ports[0] != facts.ports[1]:
        asked, answered = facts.ports
        hint = "Harmless for a mapped port; a proxy must pass on scripts and channels."
        return _warning(10, f"Port {asked} was asked, port {answered} answered.", hint)
    return _ok(10, "Nothing seems to stand between.")


def timeout(facts: Facts) -> Finding:
    hint = "Set SOCKET_TIMEOUT in the options of the cache to a second or so."
    if facts.timeout is None:
        return _warning(11, "No time limit is set for a server that is silent.", hint)
    if facts.timeout > facts.lease / 3:
        problem = f"A silent server is waited for {facts.timeout:g} s, too long to renew in time."
        return _warning(11, problem, hint)
    return _ok(11, f"A silent server is waited for {facts.timeout:g} s.")


def rights(facts: Facts) -> Finding:
    if facts.grants:
        return _ok(12, "A lock could be taken and released.")
    hint = f"Its log tells why. ACL: +@scripting and all commands on ~{conf().prefix}:*."
    return _error(12, "The server does not let us take a lock.", hint)


def _ok(number: int, message: str) -> Finding:
    return _finding(number, Level.OK, message)


def _warning(number: int, message: str, hint: str) -> Finding:
    return _finding(number, Level.WARNING, message, hint)


def _error(number: int, message: str, hint: str) -> Finding:
    return _finding(number, Level.ERROR, message, hint)


def _finding(number: int, level: Level, message: str, hint: str = "") -> Finding:
    return Finding(id=f"locking.D{number:03}", level=level, message=message, hint=hint)
