"""``manage.py accounts``: 0 done, 1 refused, 2 could not be determined, or wrong usage."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, InterfaceError

from accounts.management.verbs import doctor, keys, lockouts, sealing, sessions, signing
from accounts.management.verbs.terminal import Terminal


class Command(Terminal):
    help = "Operate logins."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for room in (sessions, lockouts, keys, sealing, signing, doctor):
            room.add(verbs)

    def handle(self, *, run: Callable[..., None], **options: Any) -> None:
        try:
            run(self, **options)
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database does not answer: {error}", returncode=2) from error
