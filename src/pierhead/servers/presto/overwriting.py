"""One partition of an Iceberg table, replaced by what a statement gives: planned, agreed to by two, done in one commit.

The plan pins the table's snapshot and both counts; a table that moved on since is planned anew. One MERGE deletes the
old rows and inserts the new, so nobody ever reads half of it, and the snapshot before it is the way back. Not here:
who must agree (server.py), keeping plans (the SDK).
"""

from collections.abc import Sequence
from typing import Final

from pierhead.sdk import Caller, Forbidden, Invalid, Plan
from pierhead.sdk.envelope import Envelope
from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.governed.policy import MOST_STREAMED
from pierhead.servers.presto.answers import NewPartition, Overwritten
from pierhead.servers.presto.backing import Backing, Seen
from pierhead.servers.presto.comparing import partition_filter
from pierhead.servers.presto.partitions import quoted, snapshots_of

OVERWRITTEN_S: Final = 600.0
_PLANNED_S: Final = 25.0
_COUNT: Final = "SELECT count(*) FROM {table} WHERE {filter}"
_NEW: Final = "SELECT count(*), count_if({filter}) FROM ({sql}) AS q"
_VALID: Final = "EXPLAIN (TYPE VALIDATE) {sql}"
_MERGE: Final = """
MERGE INTO {table} AS t USING (
 SELECT {columns}, true AS pierhead_is_new FROM ({sql}) AS q UNION ALL SELECT {nothing}, false
) AS s ON NOT s.pierhead_is_new AND {filter}
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED AND s.pierhead_is_new THEN INSERT ({columns}) VALUES ({values})
"""


class OverwritingDesk:
    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def plan(self, caller: Caller, table: str, partition: str, sql: str) -> Plan[NewPartition]:
        """Errors: Forbidden (`not-to-overwrite`); Invalid, for a table or rows that do not fit."""
        seen = await self._writable(caller, table)
        where, of_t = await self._filters(seen, partition)
        name = self._name(seen)
        async with self._backing.lane.ready(caller, sql=sql, limits=Limits(MOST_STREAMED, _PLANNED_S)) as ready:
            text, most = self._backing.engine.written(ready.query, ready.values), ready.limits.rows
        await self._backing.engine.ask(_VALID.format(sql=self._merge(seen, of_t, text)))
        [[before]] = await self._backing.engine.ask(_COUNT.format(table=name, filter=where))
        [[after, inside]] = await self._backing.engine.ask(_NEW.format(filter=where, sql=text))
        if after > most:
            raise Invalid(
                f"the statement gives more than {most} rows",
                hint="load so much by a job of its own",
                code="too-many-rows",
            )
        if inside != after:
            raise Invalid(
                f"{after - inside} of its {after} rows are not of {partition[:100]}",
                hint="filter the statement by the partition",
                code="not-of-the-partition",
            )
        snapshot = await self._snapshot(seen)
        item = NewPartition(
            table=seen.name,
            partition=partition,
            rows_before=before,
            rows_after=after,
            snapshot=snapshot,
            statement=text,
        )
        summary = f"replace the {before} rows of {partition[:60]} in {seen.name[:80]} by {after}"
        return Plan(summary, [item], undo=f"ALTER TABLE {name} EXECUTE rollback_to_snapshot({snapshot})"[:500])

    async def carry_out(self, caller: Caller, plan: Plan[NewPartition]) -> Envelope[Overwritten]:
        [item] = plan.items
        seen = await self._writable(caller, item.table)
        where, of_t = await self._filters(seen, item.partition)
        await self._backing.engine.change(self._merge(seen, of_t, item.statement), OVERWRITTEN_S)
        [[now]] = await self._backing.engine.ask(_COUNT.format(table=self._name(seen), filter=where))
        data = Overwritten(
            table=seen.name,
            partition=item.partition,
            rows_before=item.rows_before,
            rows_now=now,
            snapshot=await self._snapshot(seen),
            rollback_to=item.snapshot,
        )
        return Envelope(summary=f"{seen.name} {item.partition}: {item.rows_before} rows became {now}", data=data)

    async def _writable(self, caller: Caller, table: str) -> Seen:
        seen = await self._backing.seen(caller, table)
        chosen = self._backing.chosen.overwrite
        is_owner = chosen is not None and not caller.groups.isdisjoint(chosen.groups)
        if chosen is None or not is_owner or seen.name not in chosen.tables or not self._is_plain(seen):
            raise Forbidden(
                f"no partition of {seen.name} may be overwritten here, or not by you",
                hint="its owners may, of tables that the operator names, and that they see whole",
                code="not-to-overwrite",
            )
        return seen

    def _is_plain(self, seen: Seen) -> bool:
        """Every row and column as stored: what is replaced is all of it."""
        return seen.is_whole and all(seen.shows(column.name) for column in seen.stored.columns)

    async def _filters(self, seen: Seen, partition: str) -> tuple[str, str]:
        """What chooses the partition: alone, and of the table `t` among others."""
        by = await self._backing.partitioning(seen)
        if by.kind != "iceberg" or not by.keys or any(by.column_of(key, seen.stored) != key for key in by.keys):
            raise Invalid(
                f"{seen.name} is no Iceberg table partitioned by its own columns",
                hint="only such a partition is replaced in one commit",
                code="not-on-this-engine",
            )
        return partition_filter(by, partition), partition_filter(by, partition, "t.")

    async def _snapshot(self, seen: Seen) -> str:
        place = (seen.permitted.schema, seen.permitted.name)
        snapshots = await snapshots_of(self._backing.engine, self._backing.catalog, place)
        return snapshots[0].id if snapshots else ""

    def _name(self, seen: Seen) -> str:
        return quoted(self._backing.catalog, seen.permitted.schema, seen.permitted.name)

    def _merge(self, seen: Seen, where: str, text: str) -> str:
        names: Sequence[str] = [quoted(column.name) for column in seen.stored.columns]
        types = [column.type for column in seen.stored.columns]
        return _MERGE.format(
            table=self._name(seen),
            columns=", ".join(names),
            sql=text,
            nothing=", ".join(f"CAST(NULL AS {kind})" for kind in types),
            filter=where,
            values=", ".join(f"s.{name}" for name in names),
        )
