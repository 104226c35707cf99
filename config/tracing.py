"""W3C Trace Context, level 1: which trace a request belongs to, and what to tell those we ask.

What is not exactly as the recommendation has it is no trace of the caller's; a new one begins.
"""

import re
from dataclasses import dataclass

TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.*)?"
)
KEY = r"[a-z0-9][a-z0-9_*/@-]{0,255}"
MEMBER = re.compile(rf"(?P<key>{KEY})=[ -+\--<>-~]{{0,255}}[!-+\--<>-~]")
SAMPLED = 1
# What the recommendation asks everybody to pass on; more would be a way to make our calls large.
MOST_MEMBERS, LONGEST_STATE = 32, 512


@dataclass(frozen=True, slots=True)
class Trace:
    trace_id: str
    sampled: bool = False
    state: str = ""

    def onward(self, span_id: str) -> dict[str, str]:
        """The headers of a call made for it; ``span_id`` is 16 hexadecimal digits, never only 0."""
        parent = {"traceparent": f"00-{self.trace_id}-{span_id}-{self.sampled:02x}"}
        return parent | {"tracestate": self.state} if self.state else parent


def read(traceparent: str, tracestate: str) -> Trace | None:
    found = TRACEPARENT.fullmatch(traceparent)
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    if not found["trace"].strip("0") or not found["span"].strip("0"):
        return None
    return Trace(found["trace"], bool(int(found["flags"], 16) & SAMPLED), _state(tracestate))


def _state(text: str) -> str:
    """The whole list or nothing of it: what is left of a broken one may mislead its readers."""
    members = [member.strip(" \t") for member in text.split(",") if member.strip(" \t")]
    found = [MEMBER.fullmatch(member) for member in members]
    keys = {member["key"] for member in found if member}
    state = ",".join(members)
    if len(keys) < len(members) or len(keys) > MOST_MEMBERS or len(state) > LONGEST_STATE:
        return ""
    return state
