"""What every tool of a Trino or Presto server stands on: its source, its engine, what people wrote of its tables.

Marks each statement with whom it is for, so that the engine's own lists tell whose it is, also after a restart: a
keyed digest, which nobody else can make and nobody can read. Not here: what a tool answers.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from pierhead.sdk import Caller
from pierhead.sdk.governed.catalog import StoredTable
from pierhead.sdk.governed.notes import note_acting
from pierhead.sdk.governed.source import Acting, Ready, Source
from pierhead.sdk.governed.sql_lane import SqlLane
from pierhead.sdk.governed.trino import TrinoEngine
from pierhead.sdk.sqlguard import PermittedTable
from pierhead.sdk.tool import CALLER
from pierhead.servers.presto.assets import AssetFile, TableAsset
from pierhead.servers.presto.partitions import NONE, Partitioning, partitioning_of
from pierhead.servers.presto.settings import PrestoSettings

_MARK_DIGITS: Final = 24
_REMEMBERED_S: Final = 300.0
_MOST_REMEMBERED: Final = 2_000
_CLOCK: Final = "SELECT to_unixtime(now())"
_LISTED: Final = "SHOW COLUMNS FROM system.runtime.queries"


@dataclass(frozen=True, slots=True)
class Seen:
    """One table as the caller's role sees it."""

    name: str
    acting: Acting
    permitted: PermittedTable
    stored: StoredTable
    asset: TableAsset

    @property
    def is_whole(self) -> bool:
        """Whether the role sees every row: then figures about the table say nothing of rows that are hidden."""
        return self.permitted.condition is None

    def shows(self, column: str) -> bool:
        """Whether the role reads that column as it is."""
        return any(each.name == column and each.expression is None for each in self.permitted.columns)


class Backing:
    """Ask after `open`. Units: Unix seconds by the engine's own clock."""

    def __init__(self, chosen: PrestoSettings) -> None:
        self.chosen = chosen
        self.engine = TrinoEngine(chosen.place(), source_name=self._source_name)
        self.source = Source(self.engine, chosen.policy(), paced=chosen.rate_limits)
        self.lane = SqlLane(self.source, records_text=chosen.record_statements)
        self.assets = AssetFile(chosen.assets)
        self.catalog = chosen.place().catalog
        self.key = secrets.token_bytes(32)
        self._clock_ahead = 0.0
        self._partitionings: dict[tuple[str, str], tuple[float, Partitioning]] = {}
        self._lists_errors: bool | None = None

    async def open(self, key: bytes | None) -> None:
        """`key` makes marks that are the same tomorrow. Errors: Misconfigured, UpstreamUnreachable."""
        self.key = key or self.key
        await self.source.open()
        [[told]] = await self.engine.ask_as_login(_CLOCK)
        self._clock_ahead = float(told) - monotonic()

    def now(self) -> float:
        return monotonic() + self._clock_ahead

    def mark(self, caller: Caller) -> str:
        """How the engine's lists name whatever that caller runs here."""
        who, program = caller.person, caller.workload
        told = [who.issuer, who.subject] if who else ["", ""]
        told.append(program.spiffe_id if program else "")
        digest = hmac.new(self.key, "\n".join(told).encode(), hashlib.sha256).hexdigest()
        return f"pierhead/{digest[:_MARK_DIGITS]}"

    def _source_name(self) -> str:
        caller = CALLER.get(None)
        return "pierhead" if caller is None else self.mark(caller)

    async def lists_errors(self) -> bool:
        """Whether the engine's list of queries says why they failed: PrestoDB's does not. Errors: as `ask_as_login`."""
        if self._lists_errors is None:
            columns = await self.engine.ask_as_login(_LISTED)
            self._lists_errors = {"error_type", "error_code"} <= {row[0] for row in columns}
        return self._lists_errors

    async def seen(self, caller: Caller, table: str) -> Seen:
        """The table a caller names. Errors: Invalid (`unknown-table`), alike for a hidden one and none; Forbidden."""
        async with self.source.turn(caller) as turn:
            note_acting("schema", turn.ground, turn.acting)
            permitted = turn.acting.table(self.plain_name(table))
            return self._seen(turn.acting, permitted, turn.ground.stored(permitted))

    async def all_seen(self, caller: Caller) -> Mapping[str, Seen]:
        """Every table of the caller's role, by its name."""
        async with self.source.turn(caller) as turn:
            note_acting("schema", turn.ground, turn.acting)
            found = (self._seen(turn.acting, each, turn.ground.stored(each)) for each in turn.acting.view.tables)
            return {each.name: each for each in found}

    def seen_in(self, ready: Ready, name: str) -> Seen:
        """A table of the view that a statement under way was judged by."""
        ground = self.source.ground
        acting = next(each for each in ground.roles.values() if each.view is ready.view)
        permitted = acting.table(name)
        return self._seen(acting, permitted, ground.stored(permitted))

    def _seen(self, acting: Acting, permitted: PermittedTable, stored: StoredTable) -> Seen:
        name = acting.view.display_name(permitted)
        return Seen(name, acting, permitted, stored, self.assets.now().of(name))

    def plain_name(self, table: str) -> str:
        """A table's name without the catalog, and without the schema that is the default one."""
        parts = table.split(".")
        if len(parts) > 2 and parts[0] == self.catalog:  # noqa: PLR2004 - catalog, schema, table
            parts = parts[1:]
        default = self.chosen.place().schema
        return ".".join(parts[1:] if len(parts) > 1 and parts[0] == default else parts)

    async def partitioning(self, seen: Seen) -> Partitioning:
        """How a table is partitioned, where the engine says so and the role sees every key; looked at anew at times."""
        place = (seen.permitted.schema, seen.permitted.name)
        at, found = self._partitionings.get(place, (0.0, NONE))
        if monotonic() - at > _REMEMBERED_S or at == 0.0:
            found = await partitioning_of(self.engine, self.catalog, place)
            if len(self._partitionings) >= _MOST_REMEMBERED:
                self._partitionings.clear()
            self._partitionings[place] = monotonic(), found
        return found if all(seen.shows(found.column_of(key, seen.stored)) for key in found.keys) else NONE

    def offers_to_people(self, caller: Caller) -> bool:
        """A program alone is offered only what looks after tables and the cluster."""
        return caller.person is not None

    def is_oncall(self, caller: Caller) -> bool:
        return not caller.groups.isdisjoint(self.chosen.groups.oncall)

    def faults(self) -> list[str]:
        return [self.assets.fault] if self.assets.fault else []
