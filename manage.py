#!/usr/bin/env python
"""Command line of the project."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["up"]:
        # Settings refuse to load without secrets, so the first start makes them before Django asks.
        from config import datadir

        claimed = datadir.claim()  # noqa: F841 - held open while this process lives
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        raise SystemExit(f"Settings: {error}") from None


if __name__ == "__main__":
    main()
