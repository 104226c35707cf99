"""Are the database, the store and the keys fit for tokens? Facts in, findings out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from .facts import Facts, Keys, Rows, Store, gather
from .keyring import State
from .tokens import SKEW

OLDEST_VERSION = (6, 2)
LARGEST_OFFSET = 1.0
"""Seconds by which clocks that somebody sets may differ."""
LONGEST_TIMEOUT = 1.0


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
    return judged(gather())


def judged(facts: Facts) -> Iterator[Finding]:
    match facts.store:
        case Store() as store:
            yield _ok(1, "The store answers.")
            for about_store in (version, role, eviction, clearing, timeout):
                yield about_store(store)
        case no_store:
            hint = "Until then only the database knows what was revoked."
            yield _warning(1, no_store, hint)
    match facts.rows:
        case Rows() as rows:
            yield _ok(7, "The database answers.")
            for about_rows in (clock, overdue, mirror):
                yield about_rows(rows)
        case no_rows:
            hint = "See to the database, and run manage.py migrate."
            yield _error(7, f"The rows of sessions cannot be read: {no_rows}", hint)
    for about_keys in (origin, retirement, succession, permissions):
        yield about_keys(facts.keys)


def version(store: Store) -> Finding:
    info = store.info or {}
    name = info.get("server_name", "redis")
    text = str(info.get(f"{name}_version", info.get("redis_version", "")))
    compatible = str(info.get("redis_version", ""))
    if not compatible:
        return _warning(2, "The server does not tell its version.", "It has to be 6.2 or later.")
    if tuple(int(part) for part in compatible.split(".")[:2]) < OLDEST_VERSION:
        return _error(2, f"The server is {name} {text}.", "It has to be 6.2 or later.")
    return _ok(2, f"The server is {name} {text}.")


def role(store: Store) -> Finding:
    if (store.info or {}).get("role") == "slave":
        hint = "Point the cache to the primary, or to Sentinel."
        return _error(3, "The server is a replica; it takes nothing in.", hint)
    return _ok(3, "The server is a primary.")


def eviction(store: Store) -> Finding:
    hint = "Set maxmemory-policy to noeviction."
    info = store.info or {}
    policy = info.get("maxmemory_policy")
    if policy is None:
        return _warning(4, "The server does not tell what it does when it is full.", hint)
    if policy == "noeviction":
        return _ok(4, "A full server refuses to remember instead of forgetting.")
    limited = info.get("maxmemory")
    when = "A full server forgets" if limited else "With a memory limit the server would forget"
    return _warning(4, f"{when} what was revoked ({policy}).", hint)


def clearing(store: Store) -> Finding:
    hint = "Give accounts a database of its own: cache.clear() is FLUSHDB."
    shared = [*store.sharing, *(["default"] if store.alias == "default" else [])]
    if shared:
        listed = ", ".join(map(repr, shared))
        return _warning(5, f"Clearing cache {listed} forgets what was revoked.", hint)
    return _ok(5, "No other cache shares the database of accounts.")


def timeout(store: Store) -> Finding:
    hint = "Set SOCKET_TIMEOUT in the options of the cache to 0.3 seconds or so."
    if store.timeout is None:
        return _warning(6, "No time limit is set for a server that is silent.", hint)
    said = f"A silent server is waited for {store.timeout:g} s"
    if store.timeout > LONGEST_TIMEOUT:
        return _warning(6, f"{said}, by a caller who signs out.", hint)
    return _ok(6, f"{said}.")


def clock(rows: Rows) -> Finding:
    apart = abs(rows.offset)
    hint = "Run a time service on both."
    if apart > SKEW:
        return _error(8, f"The database's clock is {rows.offset:+.0f} s from this one.", hint)
    if apart > LARGEST_OFFSET:
        return _warning(8, f"The database's clock is {rows.offset:+.1f} s from this one.", hint)
    return _ok(8, f"The clocks differ by {apart * 1000:.0f} ms.")


def overdue(rows: Rows) -> Finding:
    if rows.overdue:
        hint = "Run manage.py accounts purge."
        return _warning(9, f"{rows.overdue} sessions are long past their end.", hint)
    return _ok(9, "No session is long past its end.")


def mirror(rows: Rows) -> Finding:
    if rows.astray:
        hint = "They were blacklisted or deleted past the signals: end their sessions, if so meant."
        told = f"{rows.astray} refresh tokens work that simplejwt's tables hold for dead."
        return _warning(10, told, hint)
    return _ok(10, "The tables of simplejwt agree with the sessions.")


def origin(keys: Keys) -> Finding:
    if keys.derived:
        hint = "Set ACCOUNTS['SIGNING_KEYS']; `accounts rotate-keys --print-keys` makes some."
        return _warning(11, "The signing key is derived from SECRET_KEY.", hint)
    return _ok(11, "The signing keys are keys of their own.")


def retirement(keys: Keys) -> Finding:
    if keys.endless:
        hint = "Take them out once their last tokens have expired."
        return _warning(12, f"{keys.endless} old keys verify for ever.", hint)
    if keys.over:
        hint = "The next `accounts rotate-keys` drops them."
        return _warning(12, f"{keys.over} retired keys are past their end.", hint)
    return _ok(12, f"{keys.states.get(State.RETIRED, 0)} retired keys, each with an end.")


def succession(keys: Keys) -> Finding:
    if keys.states.get(State.NEXT, 0):
        return _ok(13, "The next key is public already.")
    return _ok(13, "No next key is public; `accounts rotate-keys` publishes one first.")


def permissions(keys: Keys) -> Finding:
    if keys.mode is None:
        return _ok(14, "No file holds the signing keys.")
    if keys.mode & 0o077:
        return _error(14, f"Others may read the file of secrets ({keys.mode:o}).", "chmod 600 it.")
    return _ok(14, "Only its owner reads the file of secrets.")


def _ok(number: int, message: str) -> Finding:
    return _finding(number, Level.OK, message)


def _warning(number: int, message: str, hint: str) -> Finding:
    return _finding(number, Level.WARNING, message, hint)


def _error(number: int, message: str, hint: str) -> Finding:
    return _finding(number, Level.ERROR, message, hint)


def _finding(number: int, level: Level, message: str, hint: str = "") -> Finding:
    return Finding(id=f"accounts.D{number:03}", level=level, message=message, hint=hint)
