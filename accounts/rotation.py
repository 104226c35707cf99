"""Whether a second use of a refresh token is a race or a theft. Values in, a verdict out."""

from datetime import datetime, timedelta
from enum import StrEnum


class Verdict(StrEnum):
    REVOKED = "revoked"
    OVERLAP = "overlap"
    REUSED = "reused"


def judge(
    *, presented_at: datetime, used_at: datetime, successor_used: bool, overlap: timedelta
) -> Verdict:
    """A second use is a parallel call of one client while it comes within ``overlap`` of the first
    and nobody has used the successor yet. Anything later is a replay by someone else."""
    if presented_at <= used_at + overlap and not successor_used:
        return Verdict.OVERLAP
    return Verdict.REUSED
