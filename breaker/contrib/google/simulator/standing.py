"""The simulator as a process of its own."""

import signal
from collections.abc import Callable

from .server import Simulator


def stand(port: int, *, operation_seconds: float, say: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM, once the address is said. Raises OSError."""
    # Blocked before any thread starts, so that the signal waits for sigwait below.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with Simulator(port, operation_seconds=operation_seconds) as simulator:
        say(simulator.address)
        signal.sigwait(ends)
