"""What the servers of this host know, for a command that is not one of them."""

import time
from datetime import UTC, datetime

from .directory import DirectoryRefused, inspect, runtime_directory
from .host import Host
from .leadership import FRESH_SECONDS, Source
from .snapshot import Snapshot


def published() -> Snapshot | None:
    """None where nobody publishes now."""
    directory = runtime_directory()
    try:
        inspect(directory)
    except (FileNotFoundError, DirectoryRefused):
        return None
    latest, now = Host(directory).latest(), time.monotonic()
    if latest is None or now - latest.beat > FRESH_SECONDS:
        return None
    return Snapshot.of_checks(latest.checks, Source.HOST, now=now, time=datetime.now(UTC))
