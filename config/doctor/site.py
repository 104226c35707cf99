"""Who reaches the site, under which names, and whom it believes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings

from config.environment import Network
from health.findings import Finding

from .ward import ward

LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
# Bits of a prefix that is shorter than any operator's own networks.
WIDE = {4: 8, 6: 16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    debug: bool = False
    hosts: Sequence[str] = ("mainstay.example",)
    https: bool = True
    proxies: Sequence[Network] = ()


def examine() -> Iterator[Finding]:
    return judged(
        Facts(
            debug=settings.DEBUG,
            hosts=settings.ALLOWED_HOSTS,
            https=settings.HTTPS,
            proxies=settings.TRUSTED_PROXIES,
        )
    )


def judged(facts: Facts) -> Iterator[Finding]:
    for judge in (debug, hosts, https, proxies):
        yield judge(facts)


def debug(facts: Facts) -> Finding:
    if facts.debug:
        hint = "Unset DEBUG on whatever others can reach: it shows them source and settings."
        return ward.warning(1, "DEBUG is on.", hint)
    return ward.ok(1, "DEBUG is off.")


def hosts(facts: Facts) -> Finding:
    if "*" in facts.hosts:
        hint = "Name the site's hosts in ALLOWED_HOSTS."
        return ward.error(2, "Any Host header is believed.", hint)
    if set(facts.hosts) <= LOOPBACK:
        return ward.ok(2, "The site answers to loopback names only (ALLOWED_HOSTS).")
    return ward.ok(2, f"The site answers to {', '.join(facts.hosts)}.")


def https(facts: Facts) -> Finding:
    if not facts.https:
        return ward.ok(3, "The site speaks plain http, to this machine.")
    if not facts.proxies:
        hint = "Name the proxy that ends TLS in TRUSTED_PROXIES; else all is redirected for ever."
        return ward.warning(3, "Nobody is believed who says a request came by https.", hint)
    return ward.ok(3, "The site wants https, and its proxies say what came by it.")


def proxies(facts: Facts) -> Finding:
    if any(network.prefixlen == 0 for network in facts.proxies):
        hint = "Name the proxies' own networks in TRUSTED_PROXIES."
        return ward.error(4, "Every caller may choose the address it is known by.", hint)
    if wide := [one for one in facts.proxies if one.prefixlen < WIDE[one.version]]:
        listed = ", ".join(map(str, wide))
        hint = "Name the proxies' own networks in TRUSTED_PROXIES: who is in them is believed."
        return ward.warning(4, f"Very many are trusted as proxies: {listed}.", hint)
    if not facts.proxies:
        return ward.ok(4, "No proxy is trusted; a caller is known by its own address.")
    return ward.ok(4, f"Trusted as proxies: {', '.join(map(str, facts.proxies))}.")
