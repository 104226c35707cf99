import ipaddress


def network(address: str) -> str:
    """The /24 or /48 an address lies in, or nothing when it is no address (a unix socket)."""
    try:
        host = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(host, ipaddress.IPv4Address):
        return str(ipaddress.IPv4Network((int(host), 24), strict=False))
    if host.ipv4_mapped:
        return network(str(host.ipv4_mapped))
    return str(ipaddress.IPv6Network((int(host), 48), strict=False))
