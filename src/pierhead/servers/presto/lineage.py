"""What a table is made from, and what is made from it: as people wrote it, and as the engine was seen to write.

Only tables of the caller's role are told, at either end; a way through a hidden one ends there. Not here: whether they
are fresh (freshness.py).
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from pierhead.sdk import Caller
from pierhead.sdk.envelope import Envelope, Limits, Page, summed_up
from pierhead.servers.presto.answers import Edge, Lineage
from pierhead.servers.presto.backing import Backing, Seen
from pierhead.servers.presto.freshness import written
from pierhead.servers.presto.history import HistoryDesk, Made
from pierhead.servers.presto.partitions import Snapshot, snapshots_of

Direction = Literal["upstream", "downstream"]
_Way = tuple[str, str, str]
"""A table, one that it is made from, and who tells."""
_LONGEST_NAME: Final = 3


class LineageDesk:
    def __init__(self, backing: Backing, history: HistoryDesk) -> None:
        self._backing = backing
        self._history = history

    async def trace(
        self, caller: Caller, table: str, direction: Direction, depth: int, limit: int
    ) -> Envelope[Lineage]:
        """Errors: Invalid (`unknown-table`); Forbidden (`no-role`)."""
        start = await self._backing.seen(caller, table)
        seen = await self._backing.all_seen(caller)
        missing = self._backing.faults()
        ways = {way for way in self._ways(await self._history.made(missing)) if way[0] in seen and way[1] in seen}
        steps = _followed(start.name, ways, direction, depth)
        edges = [await self._edge(way, level, direction, seen) for way, level in steps[:limit]]
        other = "made from" if direction == "upstream" else "read by"
        names = ", ".join(dict.fromkeys(edge.made_from if direction == "upstream" else edge.table for edge in edges))
        answer = Envelope(
            status="partial" if missing else "ok",
            summary=summed_up(f"{start.name} is {other} {names or 'nothing that is known'}"),
            data=Lineage(table=start.name, direction=direction, edges=edges),
            page=Page(returned=len(edges)),
            limits=Limits(why="rows", seen=len(steps), next="limit, or a table of these") if steps[limit:] else None,
            missing=missing,
        )
        return answer.observed(f"lineage of {self._backing.chosen.name}", self._backing.now())

    def _ways(self, made: Iterable[Made]) -> Iterable[_Way]:
        for name, asset in self._backing.assets.now().tables.items():
            yield from ((name, self._backing.plain_name(read), "assets") for read in asset.reads)
        for each in made:
            target = self._named(each.target)
            for source in each.sources:
                name = self._named(source)
                if target and name:
                    yield target, name, "engine"

    def _named(self, place: tuple[str, ...]) -> str:
        """A table of our own catalog by the name that callers use; others have none here."""
        is_ours = len(place) < _LONGEST_NAME or place[0] == self._backing.catalog
        return self._backing.plain_name(".".join(place)) if is_ours else ""

    async def _edge(self, way: _Way, depth: int, direction: Direction, seen: Mapping[str, Seen]) -> Edge:
        table, made_from, told_by = way
        far = made_from if direction == "upstream" else table
        found = seen[far]
        place = (found.permitted.schema, found.permitted.name)
        snapshots: list[Snapshot] = []
        if found.is_whole and found.stored.kind == "table":
            snapshots = await snapshots_of(self._backing.engine, self._backing.catalog, place)
        return Edge(
            table=table,
            made_from=made_from,
            depth=depth,
            told_by=told_by,
            owner=found.asset.owner,
            last_update=written(snapshots[0].at) if snapshots else None,
        )


def _followed(start: str, ways: set[_Way], direction: Direction, depth: int) -> list[tuple[_Way, int]]:
    """The edges within `depth` steps, near ones first; one that both tell is told once, as people wrote it."""
    near, far = (0, 1) if direction == "upstream" else (1, 0)
    found: dict[tuple[str, str], tuple[_Way, int]] = {}
    front, known = {start}, {start}
    for level in range(1, depth + 1):
        steps = sorted(way for way in ways if way[near] in front)
        for way in steps:
            found.setdefault((way[0], way[1]), (way, level))
        front = {way[far] for way in steps} - known
        known |= front
    return list(found.values())
