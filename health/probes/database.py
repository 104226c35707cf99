"""Does a database answer, may it be written to, and is there room in the pool in front of it?"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from health.verdict import CheckResult, Reason, Status

from .probe import Probe

# Two seconds is the least that libpq honours as connect_timeout, and its default is for ever.
LIMITS: dict[str, dict[str, Any]] = {
    "postgresql": {"connect_timeout": 2, "tcp_user_timeout": 2000},
    "mysql": {"connect_timeout": 2, "read_timeout": 1, "write_timeout": 1},
    "sqlite": {"timeout": 1},
}
QUERIES = {
    # A standby says so here too.
    "postgresql": "SELECT current_setting('transaction_read_only')",
    # SQLite answers SELECT 1 without opening its file.
    "sqlite": "SELECT 1 FROM sqlite_master LIMIT 1",
}

# What psycopg_pool calls them, and what they are called here.
POOL_VALUES = {
    "pool_size": "size",
    "pool_max": "largest",
    "pool_available": "available",
    "requests_waiting": "waiting",
    "connections_errors": "connectionErrors",
}


@contextmanager
def limited_connection(alias: str) -> Iterator[BaseDatabaseWrapper]:
    """One of its own, so that neither the pool nor a request's transaction is involved."""
    database = copy.deepcopy(connections.settings[alias])
    wrapper: type[BaseDatabaseWrapper] = load_backend(database["ENGINE"]).DatabaseWrapper
    options = database["OPTIONS"]
    options.pop("pool", None)
    options.update(LIMITS.get(wrapper.vendor, {}))
    if wrapper.vendor == "postgresql":
        options["options"] = f"{options.get('options', '')} -c statement_timeout=1000".strip()
    connection = wrapper(database, alias)
    try:
        yield connection
    finally:
        connection.close()


class Database(Probe):
    name = "database"
    kind = "datastore"
    critical = True
    deadline = 2.5

    def __init__(self, alias: str) -> None:
        self.component = alias

    def run(self) -> CheckResult:
        with limited_connection(self.component) as connection, connection.cursor() as cursor:
            cursor.execute(QUERIES.get(connection.vendor, "SELECT 1"))
            answer = cursor.fetchone()
        return judged(
            read_only=answer == ("on",),
            # A replica is not there to be written to.
            written=self.component == DEFAULT_DB_ALIAS,
            pool=self.pool(),
        )

    def pool(self) -> CheckResult | None:
        """That of the process that probes. Its connections are looked at, none is taken."""
        wrapper: Any = connections[self.component]
        if wrapper.vendor != "postgresql" or not wrapper.pool:
            return None
        return pool_part(wrapper.pool.get_stats())


def judged(*, read_only: bool, written: bool, pool: CheckResult | None) -> CheckResult:
    parts = (pool,) if pool else ()
    values = {"readOnly": read_only}
    if read_only and written:
        return CheckResult(Status.WARN, Reason.READ_ONLY, values=values, parts=parts)
    if pool and pool.status is not Status.PASS:
        return CheckResult(pool.status, pool.reason, values=values, parts=parts)
    return CheckResult(Status.PASS, values=values, parts=parts)


def pool_part(stats: Mapping[str, int]) -> CheckResult:
    """Saturated is a pool that may not grow and lets somebody wait."""
    values = {shown: stats.get(counted, 0) for counted, shown in POOL_VALUES.items()}
    full = values["waiting"] > 0 and values["size"] >= values["largest"]
    return CheckResult(
        Status.WARN if full else Status.PASS,
        Reason.SATURATED if full else None,
        component="pool",
        values=values,
    )
