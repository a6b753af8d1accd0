"""Statements of callers: judged, estimated, asked about where they may read too much, run, cut, and kept to be read on.

The SQL that runs is the guard's, under the caller's role; it ends in the engine when enough was read, when its time is
over, and when the caller has gone. Not here: the guard (sdk/sqlguard), who may read what (sdk/governed).
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from pierhead.sdk import Caller, Invalid, ToolFailed, ToolTimedOut, ask_for, note
from pierhead.sdk.envelope import Envelope, Limits, Link, Page, summed_up
from pierhead.sdk.governed.cells import plain
from pierhead.sdk.governed.engine import Limits as Bounds
from pierhead.sdk.governed.policy import MOST_STREAMED
from pierhead.sdk.governed.source import Ready
from pierhead.sdk.governed.trino_plan import Reading, Scan
from pierhead.sdk.redacting import redact_value
from pierhead.sdk.result_store import ResultStore
from pierhead.servers.presto.answers import Piece, Rows, Validated
from pierhead.servers.presto.backing import Backing
from pierhead.servers.presto.freshness import written

MOST_KEPT: Final = 10_000
_KEPT_BYTES: Final = 8 * 2**20
MOST_ANSWERED: Final = 60_000  # bytes of rows and columns; the rest of 64 KB is for what is told of them
_WIDEST: Final = 30_000
_EXPLAIN_S: Final = 20.0
Why = Literal["rows", "bytes", "time"]
_PLACE: Final = re.compile(r"line (\d+), column (\d+)")
_NEXT: Final[Mapping[Why, str]] = {
    "rows": "aggregate or filter, raise max_rows, or read on with presto_read_result",
    "bytes": "select fewer columns, aggregate, or read on with presto_read_result",
    "time": "filter by partition or aggregate; what had come by then is here",
}


@dataclass(slots=True)
class _Got:
    """What came: cells as JSON has them. `why` says which limit ended it."""

    columns: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    rows: list[list[object]] = field(default_factory=list[list[object]])
    query_id: str = ""
    why: Why | Literal[""] = ""
    size: int = 0

    def take(self, rows: Sequence[Sequence[object]], most: int) -> bool:
        """Whether there is room for more."""
        for row in rows:
            cells = [plain(cell) for cell in row]
            self.size += len(orjson.dumps(cells))
            if len(self.rows) >= most or self.size > _KEPT_BYTES:
                self.why = "rows" if len(self.rows) >= most else "bytes"
                return False
            self.rows.append(cells)
        return True


class StatementDesk:
    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self.results: ResultStore | None = None

    async def run(self, caller: Caller, sql: str, max_rows: int, timeout_s: float, purpose: str) -> Envelope[Rows]:
        """Errors: Invalid, for what the guard or the engine refuses; ToolTimedOut; Forbidden; UpstreamUnreachable."""
        note(purpose=purpose)
        async with self._backing.lane.ready(caller, sql=sql, limits=Bounds(MOST_STREAMED, timeout_s)) as ready:
            reading = await self.within_budget(ready)
            got = await _collected(ready)
            most = min(max_rows, ready.limits.rows)
        return await self._told(caller, got, most, reading.bytes)

    async def within_budget(self, ready: Ready) -> Reading:
        """What it would read. Ends the call, and asks its caller, where that is too much or cannot be told."""
        reading = await self._backing.engine.reading(ready.query, ready.values)
        why = await self._too_much(reading, ready)
        if why:
            ask_for("confirm", why)
        return reading

    async def _too_much(self, reading: Reading, ready: Ready) -> str:
        """Names no figure of the estimate: it counts rows that a rule may hide."""
        budget, scans = self._backing.chosen.budget, reading.scans
        if (reading.bytes or sum(scan.bytes or 0 for scan in scans)) > budget.bytes:
            return f"the engine's estimate of what it reads is over the budget of {budget.bytes} bytes"
        if budget.rows is not None and (reading.rows or sum(scan.rows or 0 for scan in scans)) > budget.rows:
            return f"the engine's estimate of what it reads is over the budget of {budget.rows} rows"
        for scan in () if reading.bytes is not None else scans:
            if scan.bytes is None and not await self._is_filtered(scan, ready):
                return "the engine does not estimate what it reads, and no partition filter bounds it"
        return ""

    async def _is_filtered(self, scan: Scan, ready: Ready) -> bool | None:
        """Whether a partition filter bounds what is read of a table.

        None where it has no partitions we may see, or the engine does not tell.
        """
        named = {(table.schema, table.name): ready.view.display_name(table) for table in ready.view.tables}
        name = named.get((scan.schema, scan.table))
        if name is None:
            return None
        seen = self._backing.seen_in(ready, name)
        by = await self._backing.partitioning(seen)
        columns = {by.column_of(key, seen.stored) for key in by.keys}
        return not columns.isdisjoint(scan.filtered) if columns and by.narrowing_is_told else None

    async def validate(self, caller: Caller, sql: str) -> Envelope[Validated]:
        """Runs nothing. What is wrong with a statement is an answer, no error."""
        try:
            explained = await self._backing.lane.explain_query(caller, sql=sql)
        except Invalid as refused:
            return _refused([refused.message, refused.hint], "permitted")
        if explained.verdict != "permitted":
            return _refused(explained.reasons, explained.verdict)
        needs, reading, filters = "", Reading((), None, None), list[bool | None]()
        try:
            async with self._backing.lane.ready(caller, sql=sql, limits=Bounds(MOST_STREAMED, _EXPLAIN_S)) as ready:
                reading = await self._backing.engine.reading(ready.query, ready.values)
                filters = [await self._is_filtered(scan, ready) for scan in reading.scans]
                needs = "confirm" if await self._too_much(reading, ready) else "none"
        except Invalid as refused:
            return _refused([refused.message, refused.hint], "permitted")
        except ToolFailed as asked:
            if asked.code != "approval-required":
                raise
            needs = "what the budget of your role asks for"
        known = [each for each in filters if each is not None]
        is_told = explained.estimate is not None
        data = Validated(
            valid=True,
            policy=explained.verdict,
            reasons=explained.reasons,
            line=None,
            column=None,
            tables=explained.tables,
            partition_filter=all(known) if known else None,
            estimated_bytes=_whole(reading.bytes) if is_told else None,
            estimated_rows=_whole(reading.rows) if is_told else None,
            needs=needs,
        )
        return Envelope(summary=summed_up(f"valid; reads {', '.join(explained.tables) or 'no table'}"), data=data)

    async def read(self, caller: Caller, handle: str, offset: int, limit: int, contains: str) -> Envelope[Piece]:
        """Errors: NotFound (`no-such-result`)."""
        if self.results is None:
            raise RuntimeError("the server is not running")
        kept = await asyncio.to_thread(self.results.read, caller, handle, offset=offset, limit=limit, contains=contains)
        rows = _fitting(kept.items, limit, MOST_ANSWERED - len(orjson.dumps(kept.head)))
        end = offset + len(rows)
        following = end if end < kept.total else None
        data = Piece(columns=kept.head, rows=rows, offset=offset, next_offset=following, total=kept.total)
        limits = Limits(why="rows", seen=kept.total, next=f"offset={end}") if following is not None else None
        summary = f"rows {offset} to {end} of {kept.total}"
        return Envelope(summary=summary, data=data, page=Page(returned=len(rows)), limits=limits)

    async def _told(self, caller: Caller, got: _Got, most: int, expected_bytes: float | None) -> Envelope[Rows]:
        room = len(orjson.dumps(got.columns))
        if room > _WIDEST:
            raise Invalid(
                f"the answer has {len(got.columns)} columns, too many for one answer",
                hint="select fewer columns",
                code="too-wide",
            )
        rows = _fitting(got.rows, most, MOST_ANSWERED - room)
        why = _cut(got, rows, most)
        note(rows=len(rows), cut=why, query_id=got.query_id)
        handle, expires = await self._kept(caller, got) if len(got.rows) > len(rows) else (None, None)
        data = Rows(
            columns=got.columns,
            rows=rows,
            query_id=got.query_id,
            scanned_bytes=_whole(expected_bytes),
            handle=handle,
            handle_expires_at=expires,
        )
        page, links = self._backing.chosen.query_page, list[Link]()
        if page and got.query_id:
            links = [Link(title="the query in the engine", url=page.replace("{query_id}", got.query_id))]
        answer = Envelope(
            status="partial" if got.why else "ok",
            summary=f"{len(rows)} rows of {len(got.columns)} columns" + (f"; cut by {why}" if why else ""),
            data=data,
            page=Page(returned=len(rows)),
            limits=Limits(why=why, seen=len(got.rows), next=_NEXT[why]) if why else None,
            missing=["the rest of the rows: the time was over"] if got.why == "time" else [],
            links=links,
        )
        return answer.observed(f"{self._backing.chosen.name} query {got.query_id}", self._backing.now())

    async def _kept(self, caller: Caller, got: _Got) -> tuple[str | None, str | None]:
        if self.results is None:
            return None, None
        kept = await asyncio.to_thread(self.results.put, caller, got.columns, redact_value(got.rows))
        return (kept.handle, written(kept.expires_at)) if kept else (None, None)


async def _collected(ready: Ready) -> _Got:
    """Read until there is enough; leaving the stream ends the statement in the engine."""
    got, most = _Got(), min(MOST_KEPT, ready.limits.rows)
    # Beyond what is kept, so that what ended it is known here.
    bounds = Bounds(most + 1, ready.limits.seconds, 2 * _KEPT_BYTES)
    async with aclosing(ready.engine.stream(ready.query, ready.view, ready.values, bounds)) as batches:
        try:
            async for batch in batches:
                got.query_id = batch.query_id
                got.columns = got.columns or [{"name": each.name, "type": each.type} for each in batch.fields]
                if not got.take(batch.rows, most):
                    break
        except ToolTimedOut:
            if not got.columns:
                raise
            got.why = "time"
    return got


def _fitting(rows: Sequence[list[Any]], most: int, room: int) -> list[list[Any]]:
    fitting: list[list[Any]] = []
    for row in rows[:most]:
        room -= len(orjson.dumps(row)) + 1
        if room < 0:
            break
        fitting.append(row)
    return fitting


def _cut(got: _Got, rows: Sequence[object], most: int) -> Why | Literal[""]:
    if len(rows) < min(most, len(got.rows)):
        return "bytes"
    return "rows" if got.why != "time" and len(got.rows) > most else got.why


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)


def _refused(reasons: Sequence[str], policy: str) -> Envelope[Validated]:
    found = next((place for reason in reasons if (place := _PLACE.search(reason))), None)
    data = Validated(
        valid=False,
        policy=policy,
        reasons=list(reasons),
        line=int(found[1]) if found else None,
        column=int(found[2]) if found else None,
        tables=[],
        partition_filter=None,
        estimated_bytes=None,
        estimated_rows=None,
        needs="nothing: it does not run",
    )
    return Envelope(summary=summed_up(f"not valid: {reasons[0]}"), data=data)
