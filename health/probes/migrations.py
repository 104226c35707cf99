"""Is the database what this release expects?"""

from django.db import DEFAULT_DB_ALIAS
from django.db.migrations.executor import MigrationExecutor

from health.verdict import CheckResult, Reason, Status

from .database import limited_connection
from .probe import Probe


class Migrations(Probe):
    """Once they are applied they are not looked at again: only another release brings others."""

    name = "migrations"
    interval = 60.0
    deadline = 5.0

    def __init__(self) -> None:
        self._applied = False

    def run(self) -> CheckResult:
        unapplied = 0 if self._applied else self._unapplied()
        self._applied = not unapplied
        values = {"unapplied": unapplied}
        if unapplied:
            return CheckResult(Status.WARN, Reason.UNAPPLIED, values=values)
        return CheckResult(Status.PASS, values=values)

    def _unapplied(self) -> int:
        with limited_connection(DEFAULT_DB_ALIAS) as connection:
            executor = MigrationExecutor(connection)
            return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
