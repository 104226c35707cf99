"""Who may see details. What asks no database comes first: it must answer while that is down."""

from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from health.conf import conf
from health.engine.snapshot import Snapshot
from health.probes import Database
from health.tokens import bears_one_of
from health.verdict import Status

from . import people


class Access(Enum):
    WORDS = "words"
    DETAILS = "details"
    UNKNOWN = "unknown"
    """Who asks may be staff, but the database that could tell is not well, or asked enough."""


def access(environ: dict[str, Any], snapshot: Snapshot) -> Access:
    if settings.DEBUG or conf().details == "always" or privileged(environ):
        return Access.DETAILS
    if not people.hinted(environ):
        return Access.WORDS
    if snapshot.status_of(Database.name) is not Status.PASS:
        return Access.UNKNOWN
    try:
        return Access.DETAILS if people.may_see_details(environ) else Access.WORDS
    except (DatabaseError, people.TooMany):
        return Access.UNKNOWN


def privileged(environ: dict[str, Any]) -> bool:
    if bears_one_of(conf().tokens, environ.get("HTTP_AUTHORIZATION", "")):
        return True
    # A forwarding header that nobody has used up was set by a proxy we do not know: then the
    # address is the proxy's, and says nothing about who asks.
    return "HTTP_X_FORWARDED_FOR" not in environ and _known_address(environ.get("REMOTE_ADDR", ""))


def _known_address(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _networks(tuple(conf().allowed_cidrs)))


@lru_cache(maxsize=4)
def _networks(cidrs: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(cidr) for cidr in cidrs]
