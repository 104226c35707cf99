"""Is the store fit to keep circuits? Facts in, findings out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import redis

from .conf import conf
from .facts import Facts, Rows, gather

OLDEST_VERSION = (6, 2)
LARGEST_OFFSET = 1.0
"""Seconds by which clocks that somebody sets may differ."""
LONGEST_TIMEOUT = 0.25


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    id: str
    level: Level
    message: str
    hint: str = ""
    """What to do about it."""


def examine() -> Iterator[Finding]:
    """All findings, good ones too, in the order of their ids."""
    try:
        facts = gather()
    except redis.RedisError as error:
        hint = "See to its address, its password and the network."
        yield _error(1, f"The store of the circuits does not answer: {error}", hint)
        return
    except NotImplementedError:
        hint = "Each process keeps circuits of its own until BREAKER['CACHE'] is one."
        yield _error(1, f"Cache {conf().cache!r} is not a django-redis cache.", hint)
        return
    yield _ok(1, "The store of the circuits answers.")
    yield from judged(facts)


def judged(facts: Facts) -> Iterator[Finding]:
    for judge in (version, role, eviction, clearing, clock, news, timeout, rights, rows, patterns):
        yield judge(facts)


def version(facts: Facts) -> Finding:
    name = facts.info.get("server_name", "redis")
    text = str(facts.info.get(f"{name}_version", facts.info.get("redis_version", "")))
    compatible = str(facts.info.get("redis_version", ""))
    if not compatible:
        return _warning(2, "The server does not tell its version.", "Circuits need 6.2 or later.")
    numbers = tuple(int(part) for part in compatible.split(".")[:2])
    if numbers < OLDEST_VERSION:
        return _error(2, f"The server is {name} {text}.", "Circuits need 6.2 or later.")
    return _ok(2, f"The server is {name} {text}.")


def role(facts: Facts) -> Finding:
    if facts.info.get("role") == "slave":
        hint = "Point the cache to the primary, or to Sentinel."
        return _error(3, "The server is a replica; it counts no calls.", hint)
    return _ok(3, "The server is a primary.")


def eviction(facts: Facts) -> Finding:
    policy, limit = facts.info.get("maxmemory_policy"), facts.info.get("maxmemory")
    hint = "Set maxmemory-policy to noeviction."
    if policy is None:
        return _warning(4, "The server does not tell what it does when it is full.", hint)
    if policy == "noeviction":
        return _ok(4, "A full server refuses to count instead of forgetting circuits.")
    when = "A full server forgets" if limit else "With a memory limit the server would forget"
    return _warning(4, f"{when} circuits and what they counted ({policy}).", hint)


def clearing(facts: Facts) -> Finding:
    hint = "Give the circuits a database of their own: cache.clear() is FLUSHDB."
    if facts.sharing:
        others = ", ".join(map(repr, facts.sharing))
        return _warning(5, f"Clearing cache {others} forgets what circuits counted.", hint)
    if facts.alias == "default":
        return _warning(5, "Clearing the default cache forgets what circuits counted.", hint)
    return _ok(5, "No other cache shares the database of the circuits.")


def clock(facts: Facts) -> Finding:
    if abs(facts.offset) <= LARGEST_OFFSET:
        return _ok(6, f"The clocks differ by {abs(facts.offset) * 1000:.0f} ms.")
    hint = "Times on record, and those restored from there, are off: run a time service on both."
    return _warning(6, f"The store's clock is {facts.offset:+.1f} s from this one.", hint)


def news(facts: Facts) -> Finding:
    if facts.heard:
        return _ok(7, "News reaches this process.")
    late = "so that processes learn of an opening up to a second later"
    if facts.heard is None:
        hint = "Allow it: ACL SETUSER … &cb:* +publish +subscribe."
        return _warning(7, f"The server refuses channels, {late}.", hint)
    hint = "See whether something between drops published messages."
    return _warning(7, f"News does not reach this process, {late}.", hint)


def timeout(facts: Facts) -> Finding:
    hint = "Set SOCKET_TIMEOUT in the options of the cache to 0.05 seconds or so."
    if facts.timeout is None:
        return _warning(8, "No time limit is set for a server that is silent.", hint)
    said = f"A silent server is waited for {facts.timeout:g} s"
    if facts.timeout > LONGEST_TIMEOUT:
        return _warning(8, f"{said}, by a caller of the dependency.", hint)
    return _ok(8, f"{said}.")


def rights(facts: Facts) -> Finding:
    if facts.counts:
        return _ok(9, "A call could be counted.")
    hint = "Its log tells why. ACL: +@scripting and all commands on ~cb:*."
    return _error(9, "The server does not let us count a call.", hint)


def rows(facts: Facts) -> Finding:
    match facts.rows:
        case Rows.UNWANTED:
            hint = "Set BREAKER['HISTORY'] to True."
            return _warning(10, "Nothing is kept in the database.", hint)
        case Rows.UNMIGRATED:
            return _error(10, "The database is not migrated.", "Run manage.py migrate breaker.")
        case Rows.UNREADABLE:
            return _error(10, "The rows of circuits cannot be read.", "See to the database.")
    return _ok(10, "The database answers, and keeps what circuits go through.")


def patterns(facts: Facts) -> Finding:
    if not facts.unmatched:
        return _ok(11, "Each configuration is that of some circuit.")
    listed = ", ".join(map(repr, facts.unmatched))
    hint = "See whether they are spelled right; circuits of processes that call none are not known."
    return _warning(11, f"No circuit has a name like {listed}.", hint)


def _ok(number: int, message: str) -> Finding:
    return _finding(number, Level.OK, message)


def _warning(number: int, message: str, hint: str) -> Finding:
    return _finding(number, Level.WARNING, message, hint)


def _error(number: int, message: str, hint: str) -> Finding:
    return _finding(number, Level.ERROR, message, hint)


def _finding(number: int, level: Level, message: str, hint: str = "") -> Finding:
    return Finding(id=f"breaker.D{number:03}", level=level, message=message, hint=hint)
