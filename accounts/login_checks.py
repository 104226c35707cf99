"""Whether logins are guarded at all, and can be."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection
from django.utils.module_loading import import_string

from .login import LockoutBackend


@register(Tags.security)
def check_backends(**_: Any) -> Iterator[CheckMessage]:
    first, *_others = [*settings.AUTHENTICATION_BACKENDS, ""]
    if not (first and issubclass(import_string(first), LockoutBackend)):
        yield Warning(
            "Passwords can be guessed without end: no lockout guards them.",
            hint="Make 'accounts.login.LockoutBackend' the first of AUTHENTICATION_BACKENDS.",
            id="accounts.W006",
        )


@register(Tags.database)
def check_database(**_: Any) -> Iterator[CheckMessage]:
    if connection.vendor not in ("postgresql", "sqlite"):
        yield Error(
            f"Tries at a password cannot be counted on {connection.vendor}.",
            hint="accounts needs PostgreSQL or SQLite.",
            id="accounts.E005",
        )
    if connection.vendor == "sqlite" and connection.settings_dict["ATOMIC_REQUESTS"]:
        yield Warning(
            "ATOMIC_REQUESTS on SQLite: views that check passwords fail, because a try is counted"
            " for good and so outside the transaction of a request; those that take signed requests"
            " need Redis for the same reason.",
            hint="Decorate those of your own with transaction.non_atomic_requests; mount"
            " accounts.admin.login.login_page before the admin's own login page.",
            id="accounts.W007",
        )
