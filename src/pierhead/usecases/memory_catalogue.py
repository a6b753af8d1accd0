"""The catalogue in dicts: for tests of use cases and pages. Locks hold as in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pierhead.core.audit import Fact
from pierhead.core.errors import Conflict
from pierhead.core.packet import Part, PartKind
from pierhead.core.review import Review
from pierhead.usecases.ports_catalogue import Change, Entry, Move, Version, endings
from pierhead.usecases.ports_notices import Notice


@dataclass(slots=True)
class MemoryCatalogue:
    """Fills `Catalogue`. `facts` are all that were written, oldest first."""

    kept_entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    kept_versions: dict[tuple[str, str], Version] = field(default_factory=dict[tuple[str, str], Version])
    kept_moves: list[Move] = field(default_factory=list[Move])
    kept_reviews: dict[str, Review] = field(default_factory=dict[str, Review])
    facts: list[Fact] = field(default_factory=list[Fact])
    notices: dict[str, Notice] = field(default_factory=dict[str, Notice])
    kept_parts: dict[tuple[str, PartKind], tuple[Part, bytes]] = field(
        default_factory=dict[tuple[str, PartKind], tuple[Part, bytes]]
    )

    async def entries(self) -> Mapping[str, Entry]:
        return dict(sorted(self.kept_entries.items()))

    async def entry(self, server: str) -> Entry | None:
        return self.kept_entries.get(server)

    async def versions(self, server: str) -> Sequence[Version]:
        found = [version for version in self.kept_versions.values() if version.server == server]
        return sorted(found, key=lambda version: version.published_at, reverse=True)

    async def all_versions(self) -> Mapping[str, Sequence[Version]]:
        servers = sorted({server for server, _ in self.kept_versions})
        return {server: await self.versions(server) for server in servers}

    async def current_versions(self) -> Mapping[str, Version]:
        found = ((name, self.kept_versions.get((name, entry.current))) for name, entry in self.kept_entries.items())
        return {name: version for name, version in found if version is not None}

    async def ending(self, until: float) -> Sequence[Version]:
        return endings(self.kept_versions.values(), until)

    async def moves(self, server: str) -> Sequence[Move]:
        return [move for move in self.kept_moves if move.server == server]

    async def reviews(self, server: str = "") -> Sequence[Review]:
        found = [review for review in self.kept_reviews.values() if server in {"", review.binding.server}]
        return sorted(found, key=lambda review: review.submitted_at, reverse=True)

    async def open_reviews(self) -> Sequence[Review]:
        return [review for review in reversed(await self.reviews()) if review.closed_at is None]

    async def review(self, review_id: str) -> Review | None:
        return self.kept_reviews.get(review_id)

    async def packet(self, bound: str) -> Sequence[Part]:
        found = [part for part, _ in self.kept_parts.values() if part.bound == bound]
        return sorted(found, key=lambda part: part.kind)

    async def part(self, bound: str, kind: PartKind) -> bytes | None:
        found = self.kept_parts.get((bound, kind))
        return found[1] if found else None

    async def change(self, change: Change, at: float) -> None:
        del at
        self._check(change)
        for entry in change.entries:
            self.kept_entries[entry.name] = replace(entry, lock=entry.lock + 1)
        for version in change.versions:
            self.kept_versions[version.server, version.version] = replace(version, lock=version.lock + 1)
        for review in change.reviews:
            self.kept_reviews[review.id] = replace(review, lock=review.lock + 1)
        for part, content in change.parts:
            self.kept_parts[part.bound, part.kind] = (part, content)
        self.kept_moves.extend(change.moves)
        self.facts.extend(change.facts)
        for notice in change.notices:
            self.notices.setdefault(notice.id, notice)

    def _check(self, change: Change) -> None:
        """Every lock is the one that is kept; what is new (lock 0) is not there yet."""
        locks = [
            *((entry.lock, self.kept_entries.get(entry.name)) for entry in change.entries),
            *((version.lock, self.kept_versions.get((version.server, version.version))) for version in change.versions),
            *((review.lock, self.kept_reviews.get(review.id)) for review in change.reviews),
        ]
        if any(lock != (kept.lock if kept else 0) for lock, kept in locks):
            raise Conflict(
                "somebody else changed it meanwhile", hint="read it again, then decide", code="changed-meanwhile"
            )
