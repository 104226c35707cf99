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


def seen_through(
    peer: str, scheme: str, *, forwarded_for: str, forwarded_proto: str
) -> tuple[str, str]:
    """Address and scheme as the outermost trusted proxy saw them."""
    trusted = settings.TRUSTED_PROXIES
    if not trusted or not _trusted(peer, trusted):
        return peer, scheme
    address = client_address(peer, forwarded_for, trusted) if forwarded_for else peer
    return address, forwarded_proto if forwarded_proto in ("http", "https") else scheme


class ClientAddress:
    """WSGI wrapper: sets REMOTE_ADDR, and the scheme that a trusted proxy saw."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        environ["REMOTE_ADDR"], environ["wsgi.url_scheme"] = seen_through(
            environ.get("REMOTE_ADDR", ""),
            environ["wsgi.url_scheme"],
            forwarded_for=environ.get("HTTP_X_FORWARDED_FOR", ""),
            forwarded_proto=environ.get("HTTP_X_FORWARDED_PROTO", ""),
        )
        return self.application(environ, start_response)
