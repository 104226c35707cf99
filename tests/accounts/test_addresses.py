import pytest

from accounts.addresses import blocks, network


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", ""),
        ("unix:", ""),
        ("192.0.2.77:80", ""),
    ],
)
def test_an_address_loses_its_host(address: str, expected: str) -> None:
    assert network(address) == expected


@pytest.mark.parametrize(
    ("address", "callers"),
    [
        ("192.0.2.7", ["192.0.2.7/32"]),
        ("::ffff:192.0.2.7", ["192.0.2.7/32"]),
        ("2001:db8:1:2:3::4", ["2001:db8:1:2::/64", "2001:db8:1::/48"]),
        ("fe80::1%eth0", ["fe80::/64", "fe80::/48"]),
        ("unix:", ["unix:"]),
        ("", []),
    ],
    ids=["IPv4", "IPv4 in IPv6", "IPv6", "with a zone", "a name", "nothing"],
)
def test_an_address_counts_as_one_caller_or_two(address: str, callers: list[str]) -> None:
    assert blocks(address) == callers
