"""Whom an anonymous list of servers is made for: everyone, or the audience that a fleet file names.

IDEs send no identity, so the address they ask picks the audience. Pure. Above: `usecases/official_listing`. Not here:
callers with a token (`policy`), and who may call: a list is no permission.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from pierhead.core.reach import EVERY, Every, Only, Row

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Audience:
    """What one list may show, and who may ask for it.

    `groups`: servers that their members reach are shown, beside those that everyone reaches. `servers`: no others than
    these. `networks`: whoever asks must come from one of these.
    """

    groups: frozenset[str]
    servers: Only | Every
    networks: tuple[Network, ...] | Every

    def is_granted(self, row: Row, surface: str, environment: str) -> bool:
        """Whether that row opens its server to this audience, there and so. A list is asked for from no channel."""
        return (
            row.server in self.servers
            and surface in row.surfaces
            and environment in row.environments
            and "" in row.channels
            and (row.who.any_person or not self.groups.isdisjoint(row.who.groups))
        )

    def admits(self, address: str) -> bool:
        """Whether somebody at that address may ask. What is no address comes from nowhere."""
        if isinstance(self.networks, Every):
            return True
        try:
            place = ip_address(address)
        except ValueError:
            return False
        return any(place in network for network in self.networks)


EVERYONE: Final = Audience(groups=frozenset(), servers=EVERY, networks=EVERY)
"""The audience of those who name none: they see what every signed-in person may reach."""
