"""Layer 1: may this caller reach this server? A closed table of rows, meaning the same here and in Envoy.

Not here: which tool (layer 2 is `policy` over the tool's own declaration).
"""

from collections.abc import Iterable
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
    """Who may reach one server, from which surfaces, in which environments and channels."""

    server: str
    who: Who
    surfaces: Only | Every
    environments: Only | Every
    channels: Only | Every
    """A caller who is in no channel is in none of those that are named."""

    def admits(self, caller: Caller, party: Party) -> bool:
        """Whether this row opens its server to that party of the caller, there and so."""
        return self.stands_open(caller) and self.who.admits(caller.principal, party)

    def stands_open(self, caller: Caller) -> bool:
        """Whether the row speaks of where the caller is, whoever they are."""
        return (
            caller.surface in self.surfaces
            and caller.environment in self.environments
            and caller.channel in self.channels
        )

    def is_within(self, other: "Row") -> bool:
        """Whether `other` admits everyone whom this row admits, from everywhere."""
        return (
            self.who.is_within(other.who)
            and is_part(self.surfaces, other.surfaces)
            and is_part(self.environments, other.environments)
            and is_part(self.channels, other.channels)
        )


def is_within(rows: Iterable[Row], others: Iterable[Row]) -> bool:
    """Whether each of `rows` lies in one of `others`: then they open nothing that those do not."""
    wider = tuple(others)
    return all(any(row.is_within(other) for other in wider) for row in rows)


def is_part(one: Only | Every, other: Only | Every) -> bool:
    """Whether whatever is in one set is in the other."""
    if isinstance(other, Every):
        return True
    return not isinstance(one, Every) and one <= other
