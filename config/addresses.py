"""The true address of a client behind trusted proxies, decided once before any app looks."""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.conf import settings

from config.environment import Network


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Walk X-Forwarded-For from the right past trusted hops; garbage means the peer itself."""
    address = peer
    for hop in reversed(forwarded_for.split(",")):
        if not _trusted(address, trusted):
            return address
        try:
            address = normal(hop)
        except ValueError:
            return peer
    return address


def _trusted(address: str, trusted: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)


def normal(hop: str) -> str:
    """Without port, zone and IPv4-in-IPv6 dress. Raises ValueError for anything else."""
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    parsed = ip_address(text.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(parsed)


class ClientAddress:
    """WSGI wrapper: sets REMOTE_ADDR and the scheme to what a trusted proxy saw.

    The headers of a trusted proxy are used up here; those of any other peer stay, unread.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        trusted = settings.TRUSTED_PROXIES
        peer = environ.get("REMOTE_ADDR", "")
        if trusted and _trusted(peer, trusted):
            forwarded_for = environ.pop("HTTP_X_FORWARDED_FOR", "")
            forwarded_proto = environ.pop("HTTP_X_FORWARDED_PROTO", "")
            if forwarded_for:
                environ["REMOTE_ADDR"] = client_address(peer, forwarded_for, trusted)
            if forwarded_proto in ("http", "https"):
                environ["wsgi.url_scheme"] = forwarded_proto
        return self.application(environ, start_response)
