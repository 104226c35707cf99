"""A dependency that is up as long as a file is there, and a note of each time it was asked."""

import os
import time
from pathlib import Path
from typing import NamedTuple

from health import CheckResult, Probe, Reason, Status


def place() -> Path:
    return Path(os.environ["TEST_SWITCH"])


class Switch(Probe):
    name = "switch"
    critical = True
    interval = 1.0

    def run(self) -> CheckResult:
        with (place() / "asked").open("a") as file:
            file.write(f"{time.monotonic()} {os.getpid()}\n")
        up = (place() / "up").exists()
        return CheckResult(Status.PASS) if up else CheckResult(Status.FAIL, Reason.REFUSED)


class Asked(NamedTuple):
    at: float
    pid: int


def asked(since: float = 0.0) -> list[Asked]:
    lines = (line.split() for line in (place() / "asked").read_text().splitlines())
    found = (Asked(float(at), int(pid)) for at, pid in lines)
    return [one for one in found if one.at >= since]


def turn(*, on: bool) -> None:
    if on:
        (place() / "up").touch()
    else:
        (place() / "up").unlink()
