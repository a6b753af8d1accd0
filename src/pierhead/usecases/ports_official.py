"""What the official registry API reads of the catalogue: where every version stands, without its definitions.

Filled from any `Catalogue` by `CatalogueStandings`; an adapter that can leave the definitions unread fills it itself.
Above: `official_listing`. Not here: who may see what.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pierhead.core.catalog import Stage, Step
from pierhead.core.json import Json
from pierhead.core.review import Binding
from pierhead.usecases.ports_catalogue import Catalogue, Move, Version

CLIENTS_SAW: Final = frozenset({Stage.DEPLOYED, Stage.DEPRECATED, Stage.SUSPENDED, Stage.QUARANTINED})
"""Stages that only a version which was deployed can stand at. A retired one was, if it was retired from one of them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One version that clients see or saw. Times are seconds since 1970-01-01 UTC; `declared_at` is its entry's."""

    server: str
    version: str
    stage: Stage
    published_at: float
    moved_at: float
    declared_at: float
    reason: str
    message: str
    successor: str
    sunset_at: float | None
    document: Mapping[str, Json] = field(hash=False)
    """What was declared of the server when this version was signed, in the members of a fleet file."""
    conditions: tuple[str, ...]
    """What its reviewers demanded; some of it narrows who may reach the server."""
    binding: Binding | None = None
    """What was signed, by its digests; None for what nobody signed yet."""


class Standings(Protocol):
    """Where versions stand."""

    async def mark(self) -> object:
        """Equal to the one before, unless an entry or a version changed since."""
        ...

    async def known(self) -> Sequence[Standing]:
        """Every version that is, or was, deployed."""
        ...


@dataclass(frozen=True, slots=True)
class CatalogueStandings:
    """Fills `Standings` from the whole catalogue, definitions and all: for tests, and for few servers."""

    catalogue: Catalogue

    async def mark(self) -> object:
        entries, versions = await self.catalogue.entries(), await self.catalogue.all_versions()
        locks = [(each.server, each.version, each.lock) for listed in versions.values() for each in listed]
        return {name: entry.lock for name, entry in entries.items()}, locks

    async def known(self) -> Sequence[Standing]:
        entries, versions = await self.catalogue.entries(), await self.catalogue.all_versions()
        return [
            _standing(version, entries[name].at)
            for name, listed in versions.items()
            if name in entries
            for version in await self._seen(name, listed)
        ]

    async def _seen(self, server: str, versions: Sequence[Version]) -> Sequence[Version]:
        """Those that clients can have seen: a version that is retired before it is deployed is nobody's business."""
        is_asked = any(version.stage is Stage.RETIRED for version in versions)
        retired = was_deployed(await self.catalogue.moves(server)) if is_asked else frozenset[str]()
        return [each for each in versions if each.stage in CLIENTS_SAW or each.version in retired]


def was_deployed(moves: Sequence[Move]) -> frozenset[str]:
    """The versions of one server that were retired after they had been deployed."""
    return frozenset(move.version for move in moves if move.step is Step.RETIRE and move.source in CLIENTS_SAW)


def _standing(version: Version, declared_at: float) -> Standing:
    return Standing(
        server=version.server,
        version=version.version,
        stage=version.stage,
        published_at=version.published_at,
        moved_at=version.moved_at,
        declared_at=declared_at,
        reason=version.reason,
        message=version.message,
        successor=version.successor,
        sunset_at=version.sunset_at,
        document=version.document,
        conditions=version.conditions,
        binding=version.binding,
    )
