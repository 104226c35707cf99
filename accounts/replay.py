"""Whether the second use of a refresh token is a race or a theft. Values in, a verdict out."""

from datetime import datetime, timedelta
from enum import StrEnum


class Verdict(StrEnum):
    REPEATED = "repeated"
    OVERLAP = "overlap"
    REUSED = "reused"


def judge(
    *,
    presented_at: datetime,
    used_at: datetime,
    successor_used: bool,
    overlap: timedelta,
    grace: timedelta,
) -> Verdict:
    """A parallel call of the same client comes within ``overlap`` of the first use, and before
    anybody has used the successor. Anything later is a replay by someone else.

    ``grace`` trades some of that for clients that lost the answer: within it, the same call brings
    the same answer.
    """
    if successor_used:
        return Verdict.REUSED
    if grace and presented_at < used_at + grace:
        return Verdict.REPEATED
    if presented_at < used_at + overlap:
        return Verdict.OVERLAP
    return Verdict.REUSED
