"""Can the processes of this host agree on its health, who may ask for details, who hears of it?"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from .alerting import doctor as channels
from .conf import conf
from .engine.directory import DirectoryRefused, inspect, runtime_directory
from .engine.host import Host
from .engine.leadership import FRESH_SECONDS
from .findings import Finding, Ward

ward = Ward("health")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    refused: str = ""
    """Why the directory is of no use."""
    silence: float | None = 0.0
    """Seconds since somebody of this host probed; None if nobody has since it started."""
    tokens: int = 1
    cidrs: Sequence[str] = ()
    details: str = "authorised"


def examine() -> Iterator[Finding]:
    yield from _probing()
    yield from channels.examine()


def _probing() -> Iterator[Finding]:
    wanted, refused, silence = conf(), "", None
    try:
        directory = runtime_directory()
        inspect(directory)
    except DirectoryRefused as error:
        refused = str(error)
    except FileNotFoundError:  # the first server makes it
        pass
    else:
        published = Host(directory).latest()
        silence = time.monotonic() - published.beat if published else None
    return judged(
        Facts(
            refused=refused,
            silence=silence,
            tokens=len(wanted.tokens),
            cidrs=wanted.allowed_cidrs,
            details=wanted.details,
        )
    )


def judged(facts: Facts) -> Iterator[Finding]:
    for judge in (meeting, probing, access):
        yield judge(facts)


def meeting(facts: Facts) -> Finding:
    if facts.refused:
        hint = "Give HEALTH['RUNTIME_DIR'] a directory of the server's user alone, mode 0700."
        return ward.error(1, f"Each process probes for itself: {facts.refused}.", hint)
    return ward.ok(1, "The processes of this host have a place to meet.")


def probing(facts: Facts) -> Finding:
    if facts.silence is None:
        return ward.ok(2, "No server has probed on this host yet.")
    if facts.silence > FRESH_SECONDS:
        return ward.ok(2, f"No server probes on this host; one did {facts.silence:.0f} s ago.")
    return ward.ok(2, "A server of this host probes.")


def access(facts: Facts) -> Finding:
    hint = "Name tokens in HEALTH['TOKENS'], or networks in HEALTH['ALLOWED_CIDRS']."
    wide = any(ip_network(cidr).prefixlen == 0 for cidr in facts.cidrs)
    if wide or facts.details == "always":
        return ward.warning(3, "Everybody may read the details of health.", hint)
    if not facts.tokens and not facts.cidrs:
        return ward.warning(3, "No machine may read details and metrics.", hint)
    listed = ", ".join(facts.cidrs) or "no network"
    return ward.ok(3, f"Details and metrics are for {facts.tokens} tokens and {listed}.")
