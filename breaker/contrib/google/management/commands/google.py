import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from breaker.contrib.google.simulator import Simulator


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
        # Blocked before any thread starts, so that the signal waits for sigwait below.
        ends = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        try:
            simulator = Simulator(options["port"], operation_seconds=options["operation_seconds"])
        except OSError as error:
            raise CommandError(f"port {options['port']}: {error.strerror}") from None
        with simulator:
            self.stdout.write(simulator.address)
            self.stdout.flush()
            signal.sigwait(ends)
