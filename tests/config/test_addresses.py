from ipaddress import ip_network

import pytest
from pytest_django import Settings

from config.addresses import ClientAddress, client_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        pytest.param(
            "203.0.113.9", "198.51.100.1", "203.0.113.9", id="an untrusted peer is itself"
        ),
        pytest.param(
            "10.0.0.1", "198.51.100.1", "198.51.100.1", id="a trusted peer names its client"
        ),
        pytest.param(
            "10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1", id="left of that is hearsay"
        ),
        pytest.param(
            "10.0.0.1", "198.51.100.1, 10.9.9.9", "198.51.100.1", id="trusted hops are passed"
        ),
        pytest.param("10.0.0.1", "10.9.9.9", "10.9.9.9", id="only trusted hops: the first of them"),
        pytest.param("10.0.0.1", "nonsense", "10.0.0.1", id="garbage means the peer"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="an empty header means the peer"),
        pytest.param("10.0.0.1", "198.51.100.1:4711", "198.51.100.1", id="port"),
        pytest.param("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1", id="bracketed with port"),
        pytest.param("10.0.0.1", "fe80::1%eth0", "fe80::1", id="zone"),
        pytest.param("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1", id="IPv4 inside IPv6"),
        pytest.param("", "198.51.100.1", "", id="no peer address, as on a unix socket"),
    ],
)
def test_the_client_is_the_first_hop_that_no_trusted_proxy_vouches_past(
    peer: str, forwarded_for: str, expected: str
) -> None:
    assert client_address(peer, forwarded_for, PROXIES) == expected


def seen_by_the_application(settings: Settings, trusted: str, **environ: str) -> dict[str, str]:
    settings.TRUSTED_PROXIES = [ip_network(trusted)]
    seen: dict[str, str] = {}
    application = ClientAddress(lambda environ, start_response: seen.update(environ) or [])
    headers = {"HTTP_X_FORWARDED_FOR": "198.51.100.1", "HTTP_X_FORWARDED_PROTO": "https"}
    application({"wsgi.url_scheme": "http"} | headers | environ, lambda *_: None)
    return seen


def test_what_a_trusted_proxy_says_is_believed_and_used_up(settings: Settings) -> None:
    seen = seen_by_the_application(settings, "10.0.0.0/8", REMOTE_ADDR="10.0.0.1")
    assert seen == {"REMOTE_ADDR": "198.51.100.1", "wsgi.url_scheme": "https"}


def test_what_anybody_else_says_is_left_as_it_was(settings: Settings) -> None:
    seen = seen_by_the_application(settings, "10.0.0.0/8", REMOTE_ADDR="203.0.113.9")
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("203.0.113.9", "http")
    assert seen["HTTP_X_FORWARDED_FOR"] == "198.51.100.1"


def test_a_scheme_that_is_none_is_ignored(settings: Settings) -> None:
    seen = seen_by_the_application(
        settings, "10.0.0.0/8", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_PROTO="gopher"
    )
    assert seen["wsgi.url_scheme"] == "http"
