"""Is there room where this project keeps its files?"""

import os

from health.verdict import CheckResult, Reason, Status

from .probe import Probe


class Disk(Probe):
    """Another limit is a subclass in ``HEALTH["PROBES"]``."""

    name = "disk"
    kind = "system"
    interval = 30.0

    WARN_BYTES = 1 << 30
    # Below it the write-ahead log of a database may not find room for one more checkpoint.
    FAIL_BYTES = 100 << 20

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def run(self) -> CheckResult:
        found = os.statvfs(self.path)
        free = found.f_bavail * found.f_frsize
        status, reason = self.judge(free, read_only=bool(found.f_flag & os.ST_RDONLY))
        return CheckResult(
            status,
            reason,
            values={"freeBytes": free, "totalBytes": found.f_blocks * found.f_frsize},
        )

    def judge(self, free: int, *, read_only: bool) -> tuple[Status, Reason | None]:
        if read_only:
            return Status.FAIL, Reason.READ_ONLY
        if free < self.FAIL_BYTES:
            return Status.FAIL, Reason.SATURATED
        if free < self.WARN_BYTES:
            return Status.WARN, Reason.SATURATED
        return Status.PASS, None
