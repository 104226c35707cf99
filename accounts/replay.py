"""Whether the second use of a refresh token is a race or a theft. Values in, a verdict out."""

from datetime import datetime, timedelta
from enum import StrEnum


class Verdict(StrEnum):
    OVERLAP = "overlap"
    REUSED = "reused"


def judge(
    *, presented_at: datetime, used_at: datetime, successor_used: bool, overlap: timedelta
) -> Verdict:
    """A parallel call of the same client comes within ``overlap`` of the first use, and before
    anybody has used the successor. Anything later is a replay by someone else."""
    if presented_at < used_at + overlap and not successor_used:
        return Verdict.OVERLAP
    return Verdict.REUSED
