from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import up
from config.children import StartFailed


class Command(BaseCommand):
    help = "Start everything on this machine: stores, simulator, server. Ctrl-C stops it all."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        try:
            up.run(self._say)
        except StartFailed as error:
            raise CommandError(str(error)) from None

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
