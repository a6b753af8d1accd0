"""The platform's own programs as they know each other: which SPIFFE ID each role has.

A role is `registry`, `gateway` or `server/NAME`. Not here: how an ID is proved (`adapters/spiffe`), and workloads of
other people (`workload`), who are nobody's peers.
"""

import re
from dataclasses import dataclass
from typing import Final

REGISTRY: Final = "registry"
GATEWAY: Final = "gateway"
NAME: Final = "{server}"
"""Stands for the server's name in the pattern of their IDs."""
_SERVER: Final = "server/"
_SERVER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def role_of_server(name: str) -> str:
    return _SERVER + name


def server_in(role: str) -> str:
    """The server whose role that is; empty for the role of another program."""
    return role.removeprefix(_SERVER) if role.startswith(_SERVER) else ""


@dataclass(frozen=True, slots=True)
class PeerIds:
    """The SPIFFE IDs of registry and gateway, and the pattern of servers' with one `{server}` in it."""

    registry: str
    gateway: str
    servers: str

    def id_of(self, role: str) -> str:
        """The one ID that a program of this role shows."""
        match role:
            case "registry":
                return self.registry
            case "gateway":
                return self.gateway
            case _:
                return self.servers.replace(NAME, server_in(role))

    def role_of(self, spiffe_id: str) -> str:
        """The role of whoever has this ID; empty where it is none of ours."""
        if spiffe_id in {self.registry, self.gateway}:
            return REGISTRY if spiffe_id == self.registry else GATEWAY
        before, _, after = self.servers.partition(NAME)
        name = spiffe_id.removeprefix(before).removesuffix(after)
        is_server = _SERVER_NAME.fullmatch(name) is not None and before + name + after == spiffe_id
        return role_of_server(name) if is_server else ""
