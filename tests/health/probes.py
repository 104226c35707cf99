"""Probes for tests: each does one thing that a real one may do to its checker."""

from collections.abc import Callable

from health import CheckResult, Probe, Reason, Status

PASS = CheckResult(Status.PASS)
FAIL = CheckResult(Status.FAIL, Reason.REFUSED)


class Fake(Probe):
    """Runs ``answer``, which a test may exchange at any time; a stalled machine is no timeout."""

    def __init__(
        self,
        name: str,
        answer: Callable[[], CheckResult] = lambda: PASS,
        *,
        critical: bool = False,
        interval: float = 0.05,
        deadline: float = 20.0,
    ) -> None:
        self.name = name
        self.answer = answer
        self.critical = critical
        self.interval = interval
        self.deadline = deadline
        self.runs = 0

    def run(self) -> CheckResult:
        self.runs += 1
        return self.answer()
