"""Whose a server is, and whom to ask at night: by the policy in force, which every process of ours holds anyway.

For servers that are asked who owns a thing (`sdk/server`). Who may not know of a server is told nothing. Not here: who
owns what stands behind a server, its tables and jobs, which the registry does not know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pierhead.core.catalog import Server
from pierhead.core.identity import Caller
from pierhead.usecases.discover import may_know
from pierhead.usecases.ports import Snapshots


@dataclass(frozen=True, slots=True)
class OwnedServer:
    """One server. `on_call` is who answers at night, as its owner wrote it; empty where nobody does."""

    server: str
    owner: str
    support: str
    on_call: str


class ServerOwners(Protocol):
    """Names owners of servers."""

    def of(self, thing: str, caller: Caller) -> Sequence[OwnedServer]:
        """The live servers that `thing` names, as far as `caller` may know of them: a server, or one of its tools."""
        ...


class NoOwners:
    """Where nobody knows of any server."""

    def of(self, thing: str, caller: Caller) -> Sequence[OwnedServer]:
        del thing, caller
        return ()


@dataclass(frozen=True, slots=True)
class OwnersInForce:
    """Fills ServerOwners from the policy in force."""

    snapshots: Snapshots

    def of(self, thing: str, caller: Caller) -> Sequence[OwnedServer]:
        live = [server for server in self.snapshots.current().servers.values() if server.is_callable]
        return [
            OwnedServer(server.name, server.owner, server.support, server.on_call)
            for server in live
            if _is_meant(thing.casefold(), server) and may_know(server, caller, self.snapshots)
        ]


def _is_meant(name: str, server: Server) -> bool:
    tools = [tool.name for tool in server.tools.values() if not tool.withheld]
    return bool(name) and name in {known.casefold() for known in (server.name, server.title, *tools)}
