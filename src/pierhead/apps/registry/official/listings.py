"""The one list that every view is read from, built anew when policy or catalogue has changed.

A change of policy is seen at once, any other change of the catalogue within a second. What was left out of the list
is logged once and counted. Below: `usecases/official_listing`. Above: `reading`.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from prometheus_client.metrics_core import CounterMetricFamily, Metric

from pierhead.core.audience import Audience
from pierhead.core.catalog import DataClass
from pierhead.core.errors import Invalid
from pierhead.core.reach import Row
from pierhead.core.snapshot import Snapshot
from pierhead.usecases.official_forms import DELETED, Place
from pierhead.usecases.official_listing import Dropped, Item, Listing, build_listing
from pierhead.usecases.ports import Clock, Snapshots
from pierhead.usecases.ports_declared import Declarations
from pierhead.usecases.ports_official import Standing, Standings
from pierhead.usecases.restrict_access import restricted_rows

_LOG: Final = logging.getLogger("pierhead.registry")
_LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an anonymous list may hold besides its audience: where its readers are, and how bad a leak would be."""

    surface: str
    environment: str
    highest: DataClass


@dataclass(frozen=True, slots=True)
class Current:
    """The list that is in force, what it was built from, and which servers each audience may see.

    `withdrawn` are the rows of servers that take no calls just now: policy has none for them, but whoever could reach
    one is told that it is gone.
    """

    snapshot: Snapshot
    listing: Listing
    withdrawn: Mapping[str, Sequence[Row]] = field(hash=False)
    mark: object
    _shown: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]], hash=False)

    def shown(self, name: str, audience: Audience, bounds: Bounds) -> frozenset[str]:
        """The servers of that audience; worked out once for each list."""
        known = self._shown.get(name)
        if known is None:
            known = self._shown[name] = frozenset(self._granted(audience, bounds))
        return known

    def is_told_of(self, item: Item) -> bool:
        """Whether anybody may be told of it: of a server that takes no calls, only what is gone."""
        return item.status == DELETED or item.standing.server not in self.withdrawn

    def _granted(self, audience: Audience, bounds: Bounds) -> Iterable[str]:
        """No row, no class: not shown."""
        for name, server in self.snapshot.servers.items():
            rows = self.withdrawn.get(name) or self.snapshot.rows.get(name, ())
            is_granted = any(audience.is_granted(row, bounds.surface, bounds.environment) for row in rows)
            if is_granted and server.data_class.rank <= bounds.highest.rank:
                yield name


@dataclass(slots=True, eq=False)
class Listings:
    """Builds the list, and keeps the last one. Also what it counts, for `/metrics`."""

    standings: Standings
    snapshots: Snapshots
    place: Place
    declarations: Declarations
    clock: Clock
    _kept: Current | None = None
    _looked_at: float = float("-inf")
    _left_out: frozenset[Dropped] = frozenset()
    _building: asyncio.Lock = field(default_factory=asyncio.Lock)
    dropped: int = 0

    async def current(self) -> Current:
        """The list as it stands now."""
        if self._kept is not None and self._is_fresh(self._kept):
            return self._kept
        async with self._building:
            if self._kept is None or not self._is_fresh(self._kept):
                self._kept = await self._next(self._kept)
            return self._kept

    async def anew(self) -> Current:
        """The list after a change that was made just now."""
        self._looked_at = float("-inf")
        return await self.current()

    def _is_fresh(self, kept: Current) -> bool:
        is_same = kept.snapshot is self.snapshots.current()
        return is_same and self.clock.monotonic() - self._looked_at < _LOOK_S

    async def _next(self, kept: Current | None) -> Current:
        """The mark is read before what it stands for: a change between the two is seen at the next look."""
        snapshot, now = self.snapshots.current(), self.clock.monotonic()
        mark = await self.standings.mark()
        self._looked_at = now
        if kept is not None and kept.snapshot is snapshot and kept.mark == mark:
            return kept
        listing = build_listing(await self.standings.known(), snapshot, self.place, orjson.dumps)
        self._note(listing.dropped)
        return Current(snapshot, listing, self._withdrawn(snapshot, listing), mark)

    def _withdrawn(self, snapshot: Snapshot, listing: Listing) -> Mapping[str, Sequence[Row]]:
        """Who could reach each server that is not callable: as it was signed, within its reviewers' conditions."""
        found: dict[str, Sequence[Row]] = {}
        for name, server in snapshot.servers.items():
            items = listing.of_server.get(name, ())
            signed = next((item.standing for item in items if item.standing.version == server.version), None)
            if not server.is_callable:
                found[name] = () if signed is None else self._rows(signed)
        return found

    def _rows(self, signed: Standing) -> Sequence[Row]:
        """None for a document that cannot be read any longer: then nobody is told."""
        try:
            declared = self.declarations.read(signed.server, signed.document)
        except Invalid:
            return ()
        return restricted_rows(declared.rows, signed.conditions)

    def _note(self, dropped: Iterable[Dropped]) -> None:
        found = frozenset(dropped)
        for each in found - self._left_out:
            self.dropped += 1
            _LOG.warning("%s %s is not listed at /v0.1: %s", each.server, each.version, each.fault)
        self._left_out = found

    # prometheus_client's side

    def collect(self) -> Iterable[Metric]:
        metric = CounterMetricFamily("pierhead_registry_items_dropped_total", "Versions left out of /v0.1")
        metric.add_metric((), self.dropped)
        yield metric
