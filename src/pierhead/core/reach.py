"""Layer 1: may this caller reach this server? A closed table of rows, meaning the same here and in Envoy.

Not here: which tool (layer 2 is `policy` over the tool's own declaration).
"""

from dataclasses import dataclass

from pierhead.core.identity import Caller, Party
from pierhead.core.rule import Who


@dataclass(frozen=True, slots=True)
class Every:
    """No restriction, said out loud: an empty set means nothing, never all."""

    def __contains__(self, _: object) -> bool:
        return True


EVERY = Every()
Only = frozenset[str]


@dataclass(frozen=True, slots=True)
class Row:
    """Who may reach one server, from which surfaces, in which environments."""

    server: str
    who: Who
    surfaces: Only | Every
    environments: Only | Every

    def admits(self, caller: Caller, party: Party) -> bool:
        """Whether this row opens its server to that party of the caller, there and so."""
        return (
            caller.surface in self.surfaces
            and caller.environment in self.environments
            and self.who.admits(caller.principal, party)
        )
