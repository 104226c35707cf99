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


def blocks(address: str) -> list[str]:
    """What counts as one caller: an IPv4 address; a /64 of IPv6, and the /48 around it."""
    try:
        host = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return [address] if address else []
    if isinstance(host, ipaddress.IPv4Address):
        return [f"{host}/32"]
    if host.ipv4_mapped:
        return [f"{host.ipv4_mapped}/32"]
    return [str(ipaddress.IPv6Network((int(host), length), strict=False)) for length in (64, 48)]
