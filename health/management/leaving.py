"""A command that ends when it says so."""

import os
import sys

from django.core.management.base import BaseCommand


class LeavesAtOnce(BaseCommand):
    """Not held up by a thread that is stuck in a driver or a resolver."""

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
            code = 0
        except SystemExit as leave:
            code = int(leave.code or 0)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
