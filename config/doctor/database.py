"""The database: what it is, whether it is ours to write to, and how long it is waited for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from health.findings import Finding

from .ward import ward

# Connections of other kinds: operators, commands, the probes of each host.
KEPT_FREE = 5
PRESENT = """
    SELECT current_setting('max_connections')::int
             - current_setting('superuser_reserved_connections')::int,
           pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
           current_setting('statement_timeout') <> '0'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    vendor: str = "postgresql"
    version: tuple[int, ...] = (18, 0)
    options: Mapping[str, Any] = field(default_factory=dict)
    pending: int = 0
    """Migrations that are not applied."""
    read_only: bool = False
    connections: int = 0
    """How many the server has to give."""
    statements_end: bool = True
    journal: str = ""
    workers: int = 2


def examine() -> Iterator[Finding]:
    for alias in connections:
        try:
            facts = gather(alias)
        except Error as error:
            hint = "See to DATABASE_URL: its address, its password and the network."
            yield ward.error(12, f"Database {alias!r} does not answer: {error}", hint)
        else:
            yield from judged(alias, facts)


def gather(alias: str) -> Facts:
    """Over a connection outside the pool, which would only tell that it could not get one."""
    connection = connections[alias].copy()
    options = {**connection.settings_dict["OPTIONS"]}
    connection.settings_dict = {
        **connection.settings_dict,
        "OPTIONS": {name: value for name, value in options.items() if name != "pool"},
    }
    try:
        connection.ensure_connection()
        return Facts(
            vendor=connection.vendor,
            version=tuple(connection.get_database_version()),
            options=options,
            pending=_pending(connection),
            workers=settings.WORKERS,
            **_told(connection),
        )
    finally:
        connection.close()


def _pending(connection: BaseDatabaseWrapper) -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _told(connection: BaseDatabaseWrapper) -> dict[str, Any]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(PRESENT)
            names = ("connections", "read_only", "statements_end")
            return dict(zip(names, cursor.fetchone(), strict=True))
        cursor.execute("PRAGMA journal_mode")
        return {"journal": cursor.fetchone()[0]}


def judged(alias: str, facts: Facts) -> Iterator[Finding]:
    number = ".".join(map(str, facts.version))
    yield ward.ok(12, f"Database {alias!r} answers: {facts.vendor} {number}.")
    yield migrations(facts)
    yield writing(facts)
    yield waiting(facts)
    if facts.vendor == "postgresql":
        yield pool(facts)
        yield statements(facts)


def migrations(facts: Facts) -> Finding:
    if facts.pending:
        hint = "Run manage.py migrate."
        return ward.error(13, f"{facts.pending} migrations are not applied.", hint)
    return ward.ok(13, "All migrations are applied.")


def writing(facts: Facts) -> Finding:
    if facts.read_only:
        hint = "Point DATABASE_URL to the primary."
        return ward.error(14, "The database takes no writes.", hint)
    if facts.journal and facts.journal != "wal":
        hint = "PRAGMA journal_mode=WAL, in OPTIONS['init_command']."
        return ward.warning(14, f"Writers keep readers waiting ({facts.journal}).", hint)
    return ward.ok(14, "The database takes writes.")


def waiting(facts: Facts) -> Finding:
    wanted = {
        "postgresql": ["connect_timeout", "tcp_user_timeout"],
        "sqlite": ["timeout"],
    }[facts.vendor]
    if missing := [name for name in wanted if not facts.options.get(name)]:
        hint = f"Set {' and '.join(missing)} in the OPTIONS of DATABASES."
        return ward.warning(15, "A silent database is waited for without a limit.", hint)
    told = ", ".join(f"{name} {facts.options[name]}" for name in wanted)
    return ward.ok(15, f"Waits are limited: {told}.")


def pool(facts: Facts) -> Finding:
    size = _most(facts.options.get("pool"))
    if size is None:
        return ward.ok(16, "Connections are not pooled.")
    wanted = facts.workers * size + KEPT_FREE
    told = f"{facts.workers} workers may take {size} connections each, of {facts.connections}"
    if wanted > facts.connections:
        hint = "Lower WORKERS or THREADS, raise max_connections, or put a pooler between."
        return ward.warning(16, f"{told} that the server gives.", hint)
    return ward.ok(16, f"{told}.")


def _most(pool: Any) -> int | None:
    """The pool's size, for each process; four is what the library makes of no answer."""
    if not pool:
        return None
    given = pool if isinstance(pool, dict) else {}
    return int(given.get("max_size") or given.get("min_size", 4))


def statements(facts: Facts) -> Finding:
    if facts.statements_end:
        return ward.ok(17, "No statement runs for ever.")
    hint = "ALTER ROLE … SET statement_timeout = '30s', for the role that the site connects as."
    return ward.warning(17, "A statement may run for ever, and keep its thread.", hint)
