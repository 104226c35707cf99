from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config import server


class Command(BaseCommand):
    help = "Serve WORKERS processes, which share what is read before they begin; `up` runs this."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, **options: Any) -> None:
        server.serve(options["host"], options["port"])
