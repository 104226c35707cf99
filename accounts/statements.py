"""The steps of a try as SQL: ``lockout`` in statements that each do one step at once.

They hold on PostgreSQL and SQLite, and are committed by themselves.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from .durable import committed
from .lockout import Policy, ladder
from .models import LoginGuard

# What time does to a row, as ``lockout.wake`` has it; the locked ones are left out by WHERE.
QUIET = "COALESCE({table}.locked_until, {table}.touched_at) <= %(quiet)s"
OVER = f"({{table}}.locked_until IS NOT NULL OR {QUIET})"
STALE = "{table}.touched_at <= %(stale)s"

ADMIT = f"""
    INSERT INTO {{table}} (dimension, digest, user_id, failed, pending, level, generation, hard,
        locked_until, touched_at)
    VALUES (%(dimension)s, %(digest)s, %(user)s, 0, 1, 0, 0, FALSE, NULL, %(now)s)
    ON CONFLICT (dimension, digest) DO UPDATE SET
        failed = CASE WHEN {OVER} THEN 0
            WHEN {STALE} THEN {{table}}.failed + {{table}}.pending ELSE {{table}}.failed END,
        pending = CASE WHEN {OVER} OR {STALE} THEN 1 ELSE {{table}}.pending + 1 END,
        level = CASE WHEN {QUIET} THEN 0 ELSE {{table}}.level END,
        generation = {{table}}.generation + CASE WHEN {OVER} OR {STALE} THEN 1 ELSE 0 END,
        locked_until = NULL,
        touched_at = %(now)s
    WHERE NOT {{table}}.hard
        AND ({{table}}.locked_until IS NULL OR {{table}}.locked_until <= %(now)s)
        AND CASE WHEN {OVER} THEN 0 ELSE {{table}}.failed + {{table}}.pending END < %(tries)s
    RETURNING id, generation
"""  # noqa: S608 - constants
OWN = "WHERE id = %(id)s AND generation = %(generation)s"
# Returned as it is: some versions of SQLite answer IS NULL wrongly in RETURNING.
FAIL = f"""
    UPDATE {{table}} SET failed = failed + 1, pending = pending - 1, touched_at = %(now)s,
        locked_until = CASE WHEN failed + 1 >= %(tries)s THEN {{until}} END,
        level = level + CASE WHEN failed + 1 >= %(tries)s THEN 1 ELSE 0 END,
        generation = generation + CASE WHEN failed + 1 >= %(tries)s THEN 1 ELSE 0 END
    {OWN} AND pending > 0
    RETURNING level, locked_until
"""  # noqa: S608 - constants
FOLD = f"""
    UPDATE {{table}} SET
        failed = failed + CASE WHEN {STALE} THEN pending ELSE 0 END,
        pending = CASE WHEN {STALE} THEN 0 ELSE pending END,
        locked_until = {{until}}, level = level + 1, generation = generation + 1
    {OWN} AND NOT hard AND locked_until IS NULL
        AND failed + CASE WHEN {STALE} THEN pending ELSE 0 END >= %(tries)s
    RETURNING level, locked_until
"""  # noqa: S608 - constants
# Whoever knows the password is let in, also when tries under way have been written off meanwhile.
SUCCEED = """
    UPDATE {table} SET failed = 0, level = 0, locked_until = NULL, touched_at = %(now)s,
        pending = pending
            - CASE WHEN generation = %(generation)s AND pending > 0 THEN 1 ELSE 0 END
    WHERE id = %(id)s AND NOT hard
    RETURNING id
"""
CANCEL = f"UPDATE {{table}} SET pending = pending - 1 {OWN} AND pending > 0 RETURNING id"  # noqa: S608


def run(
    statement: str, given: Mapping[str, Any], rules: Policy, now: datetime
) -> list[tuple[Any, ...]]:
    steps = ladder(rules)
    moments = {
        "now": now,
        "quiet": now - rules.quiet,
        "stale": now - rules.patience,
        **{f"until_{level}": now + step for level, step in enumerate(steps)},
    }
    values: dict[str, Any] = {"tries": rules.tries, **given}
    for name, moment in moments.items():
        values[name] = connection.ops.adapt_datetimefield_value(moment)
    text = statement.format(table=_table(), until=_until(len(steps)))
    return committed(lambda: _execute(text, values))


def _until(steps: int) -> str:
    """The end of a lock that begins now, by the level the row has had so far."""
    *rungs, last = (f"%(until_{level})s" for level in range(steps))
    if not rungs:
        return last
    cases = " ".join(f"WHEN {level} THEN {end}" for level, end in enumerate(rungs))
    return f"CASE level {cases} ELSE {last} END"


def _execute(text: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return list(cursor.fetchall())


def _table() -> str:
    return connection.ops.quote_name(LoginGuard._meta.db_table)
