"""What the registry keeps of servers: entries as declared, versions, moves, reviews; and the one way to change them.

Filled by `adapters/db`, in tests by `usecases/memory_catalogue`. Not here: live definitions (`Manifests` of
`ports_registry`), processes and probes, the policy that follows (`publish_policy`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pierhead.core.audit import Fact
from pierhead.core.catalog import Stage, Step
from pierhead.core.json import Json
from pierhead.core.packet import Part, PartKind
from pierhead.core.review import Binding, Review
from pierhead.usecases.ports_notices import Notice
from pierhead.usecases.wire_forms import Manifest


class Origin(StrEnum):
    """Who declared a server."""

    FLEET = "fleet"
    """The operator's own fleet file."""
    REGISTERED = "registered"
    """A person, through page, API or command line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One server as declared: `document` has the members that a server has in a fleet file.

    `current` is the version that clients get, empty while none was deployed. `lock` counts its changes.
    """

    name: str
    document: Mapping[str, Json] = field(hash=False)
    origin: Origin
    by: str
    at: float
    current: str
    lock: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one server. Times are seconds since 1970-01-01 UTC.

    `manifest` are the definitions that were submitted and are signed, never the live ones, and `document` the entry
    as it was declared then; `binding` is made of them. `conditions` are those that its reviewers set.
    `reason` is that of the last move. `message`, `successor` and `sunset_at` are what clients see of a deprecation.
    """

    server: str
    version: str
    stage: Stage
    manifest: Manifest
    binding: Binding
    submitted_by: str
    published_at: float
    moved_at: float
    reason: str
    message: str
    successor: str
    sunset_at: float | None
    lock: int
    document: Mapping[str, Json] = field(default_factory=dict[str, Json], hash=False)
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """One step that one version took, and why."""

    server: str
    version: str
    step: Step
    source: Stage
    target: Stage
    by: str
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """What changes together, with its facts, or not at all. A value with lock 0 is new; others carry the lock read."""

    facts: tuple[Fact, ...]
    entries: tuple[Entry, ...] = ()
    versions: tuple[Version, ...] = ()
    moves: tuple[Move, ...] = ()
    reviews: tuple[Review, ...] = ()
    parts: tuple[tuple[Part, bytes], ...] = ()
    """Parts of packets with their bytes, each in place of an earlier one of its kind."""
    notices: tuple[Notice, ...] = ()
    """What is to be told of it; one of an id that was kept before is not told again."""


def endings(versions: Iterable[Version], until: float) -> Sequence[Version]:
    """Of these versions the deprecated ones that end until then, the first to end first."""
    found = [(each.sunset_at, each) for each in versions if each.stage is Stage.DEPRECATED and each.sunset_at]
    return [each for at, each in sorted(found, key=lambda pair: pair[0]) if at <= until]


class Catalogue(Protocol):
    """Every server, version and review."""

    async def entries(self) -> Mapping[str, Entry]: ...

    async def entry(self, server: str) -> Entry | None: ...

    async def versions(self, server: str) -> Sequence[Version]:
        """Of one server, newest first."""
        ...

    async def all_versions(self) -> Mapping[str, Sequence[Version]]:
        """Of all servers, newest first."""
        ...

    async def current_versions(self) -> Mapping[str, Version]:
        """Of each server the version that clients get; none of those that have none."""
        ...

    async def ending(self, until: float) -> Sequence[Version]:
        """The deprecated ones that end at `until` (seconds since 1970-01-01 UTC) or before, the first to end first."""
        ...

    async def moves(self, server: str) -> Sequence[Move]:
        """Oldest first."""
        ...

    async def reviews(self, server: str = "") -> Sequence[Review]:
        """Newest first; of all servers, if none is named."""
        ...

    async def open_reviews(self) -> Sequence[Review]:
        """Those that wait for a decision, oldest first."""
        ...

    async def review(self, review_id: str) -> Review | None: ...

    async def packet(self, bound: str) -> Sequence[Part]:
        """What was handed in for that very version (`packet_key`), by kind."""
        ...

    async def part(self, bound: str, kind: PartKind) -> bytes | None:
        """The bytes of one part."""
        ...

    async def change(self, change: Change, at: float) -> None:
        """Write all of it in one transaction, each lock one higher.

        Errors: Conflict, if a lock is no longer the one that was read, or a new name is taken.
        """
        ...
