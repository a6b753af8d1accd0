"""Which network addresses lie inside: this machine, the company's network, a cloud's metadata.

A registered server may be anywhere outside; inside only where the operator says so. An address that carries another
one (IPv4 in IPv6, NAT64, 6to4, Teredo) is judged by that one too. Pure. Above: `usecases/check_guest`,
`adapters/outward`. Not here: resolving names.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

#: Not global by what they are for, though some libraries of the day call them so.
_INSIDE_4: Final = tuple(
    IPv4Network(block)
    for block in ("0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15")
)
_INSIDE_6: Final = tuple(IPv6Network(block) for block in ("fec0::/10", "fd00:ec2::/32", "5f00::/16", "3fff::/20"))


def is_inside(address: Address) -> bool:
    """Whether nobody outside may make us speak to it: anything that is not surely a public unicast address."""
    return any(_is_inside(carried) for carried in _carried(address))


def _is_inside(address: Address) -> bool:
    blocks = _INSIDE_4 if isinstance(address, IPv4Address) else _INSIDE_6
    return (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or address.is_link_local
        or address.is_loopback
        or any(address in block for block in blocks)
    )


def _carried(address: Address) -> Iterator[Address]:
    """The address as it will be reached, and every IPv4 address inside it."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address  # IPv4-compatible, NAT64 and Teredo blocks are reserved or private as a whole, so inside already
    if address.sixtofour is not None:
        yield address.sixtofour
