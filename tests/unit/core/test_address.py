"""Which addresses lie inside, however they are written."""

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.address import is_inside


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),  # noqa: S104
        *("168.63.129.16", "198.18.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::", "2001:0:a00:1::1"),
    ],
)
def test_what_is_not_surely_public_lies_inside(address: str) -> None:
    assert is_inside(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_lie_outside(address: str) -> None:
    assert not is_inside(ip_address(address))


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_an_inner_address_stays_inner_in_every_disguise(inner: IPv4Address) -> None:
    number = int(inner)
    for disguise in (
        f"::ffff:{inner}",
        f"::{inner}",
        f"64:ff9b::{inner}",
        f"2002:{number >> 16:x}:{number & 65535:x}::",
    ):
        assert is_inside(ip_address(disguise))
