"""Whom a token speaks for: one query, which also tells whether anything has ended it.

The database is asked on each request, and nothing is remembered between two of them. A marker
"still alive" in a cache costs a third of that query, but brings no user, and outlives a revocation
that could not reach the cache: a logout would then take effect when the marker ran out.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection
from django.db.models.expressions import Col

from . import epochs
from .claims import Claims
from .models import LoginSession, UserEpoch


def owner(claims: Claims) -> AbstractBaseUser | None:
    """The user, as the database has it now, or None for a session that is no longer alive.

    A session starts for an active user only, and ``standing`` tells of any change since; its end
    in time is in each of its tokens.
    """
    question = _question(get_user_model(), connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(question.sql, [claims.ep, claims.sid, claims.ep])
        row = cursor.fetchone()
    if row is None:
        return None
    user, standing = question.read(row)
    if str(user.pk) != claims.sub or standing != epochs.standing(user):
        return None
    return user


class Question(NamedTuple):
    model: type[AbstractBaseUser]
    sql: str
    names: Sequence[str]
    """Of the user's columns, which come first."""
    converted: Sequence[tuple[int, Col]]
    """Those that this kind of database does not deliver as Python has them."""

    def read(self, row: Sequence[Any]) -> tuple[AbstractBaseUser, str]:
        *values, standing = row
        for place, column in self.converted:
            for convert in _converters(column):
                values[place] = convert(values[place], column, connection)
        return self.model.from_db(connection.alias, self.names, values), standing


@lru_cache(maxsize=8)
def _question(model: type[AbstractBaseUser], _vendor: str) -> Question:
    """SQL, because it runs on every request and the ORM takes four times as long to build it.

    Questions within a question, because PostgreSQL takes longer to plan a join than to answer it.
    """
    session, epoch, user, key = (
        connection.ops.quote_name(name)
        for name in (
            LoginSession._meta.db_table,
            UserEpoch._meta.db_table,
            model._meta.db_table,
            model._meta.pk.column,
        )
    )
    columns = [Col("u", field) for field in model._meta.local_concrete_fields]
    listed = ", ".join(f"u.{connection.ops.quote_name(column.target.column)}" for column in columns)
    sql = f"""
        SELECT {listed},
            (SELECT e.standing FROM {epoch} e WHERE e.user_id = u.{key} AND e.value = %s)
        FROM {user} u
        WHERE u.{key} = (
            SELECT s.user_id FROM {session} s
            WHERE s.id = %s AND s.epoch = %s AND s.revoked_at IS NULL
        )
    """  # noqa: S608 - only names of tables and columns go in
    return Question(
        model,
        sql,
        names=[column.target.attname for column in columns],
        converted=[(place, column) for place, column in enumerate(columns) if _converters(column)],
    )


def _converters(column: Col) -> list[Any]:
    """Of the connection at hand, because some keep hold of it."""
    return [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
