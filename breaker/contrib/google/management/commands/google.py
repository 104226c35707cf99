from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from breaker.contrib.google.simulator.standing import stand


class Command(BaseCommand):
    help = "The Google side of the product: run its simulator."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        simulate = verbs.add_parser("simulate", help="serve Imagen, Veo and Gemini on loopback")
        simulate.add_argument("--port", type=int, default=0, help="0 takes a free port")
        simulate.add_argument(
            "--operation-seconds", type=float, default=2.0, help="how long a video takes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        seconds = options["operation_seconds"]
        try:
            stand(options["port"], operation_seconds=seconds, say=self._say)
        except OSError as error:
            raise CommandError(f"port {options['port']}: {error.strerror}") from None

    def _say(self, address: str) -> None:
        self.stdout.write(address)
        self.stdout.flush()
