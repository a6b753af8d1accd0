"""Reads by parameters: one request, one statement, one page; the lane of `query_table` and of REST.

    page = await lane.read(caller, request)               # Page: fields, rows, next_cursor, total
    async for rows in lane.stream(caller, request, ceiling): ...

The statement of a shape is written once and kept while policy and schema stay; a request then fills its slots. Not
here: what a request is (reads.py), its SQL (read_sql.py), how cells become JSON (cells.py, rest/).
"""

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pierhead.sdk import Caller, Invalid, note
from pierhead.sdk.governed.answers import Explanation
from pierhead.sdk.governed.blanks import fill
from pierhead.sdk.governed.budget import keep_to_budget
from pierhead.sdk.governed.engine import Field, Limits, Rows, Values
from pierhead.sdk.governed.explaining import permitted_explanation, refused_explanation
from pierhead.sdk.governed.notes import note_acting, note_answer, noting_disagreement, permitted
from pierhead.sdk.governed.reads import (
    FOR_AGENTS,
    FOR_PROGRAMS,
    Ceiling,
    Cut,
    Embed,
    Page,
    ReadRequest,
    read_shape,
    read_values,
)
from pierhead.sdk.governed.relations import Relation
from pierhead.sdk.governed.source import Acting, Ground, Source, Turn, Verdict
from pierhead.servers.sql.cursors import Cursors, Place, same_order
from pierhead.servers.sql.embedding import (
    MOST_FETCHED,
    Key,
    RowsOf,
    embedded,
    link_values,
    padded,
    written_related,
)
from pierhead.servers.sql.hashed_cells import Digests
from pierhead.servers.sql.read_sql import PageOf, Written, written_count, written_read

_SHAPES_KEPT: Final = 2_000


@dataclass(frozen=True, slots=True)
class _Kept(Verdict):
    """The statement of one shape, among the verdicts of a ground."""

    written: Written


@dataclass(frozen=True, slots=True)
class _Standing:
    """What one call stands on: read once, so that it sees one policy."""

    caller: Caller
    ground: Ground
    acting: Acting

    def values(self, written: Written, request: ReadRequest, more: Place | Values | None) -> Values:
        """What fills the statement's slots. Errors: Invalid (`bad-value`); Forbidden (`missing-claim`)."""
        dialect = self.acting.view.dialect
        values = fill(written.blanks, read_values(request), dialect)
        values.update(self.acting.values(self.caller, written.query.tables))
        if not isinstance(more, Place):
            return values | dict(more or {})
        if not more.values:
            return values
        ended = [value for value in more.values if value is not None]
        if dialect == "sqlite":  # its values come back as they were: its columns hold any type
            return values | {blank.slot: value for blank, value in zip(written.after, ended, strict=True)}
        return values | fill(written.after, ended, dialect)


class ReadLane:
    """`cursors` holds the key that cursors are signed with, `digests` the one of hashed cells."""

    def __init__(self, source: Source, cursors: Cursors, digests: Digests) -> None:
        self._source = source
        self._cursors = cursors
        self._digests = digests

    async def read(self, caller: Caller, request: ReadRequest, ceiling: Ceiling = FOR_AGENTS) -> Page:
        """One page of what `caller` may see of the request.

        Errors: Forbidden (`no-role`); Invalid, naming what is unknown or does not fit; ToolTimedOut.
        """
        async with self._source.turn(caller) as turn:
            return await self._read(_standing(caller, turn), request, ceiling)

    async def _read(self, on: _Standing, request: ReadRequest, ceiling: Ceiling) -> Page:
        rows = _page_rows(request, on.acting, ceiling)
        place = self._cursors.opened(request.cursor, _bound_to(on, request)) if request.cursor else None
        page = _page_of(request, place, rows)
        write = functools.partial(written_read, page=page)
        written, values = await self._kept(on, request, ("read", page), write, place)
        limits = _limits(on.acting, ceiling, rows, written)
        answer = await on.acting.engine.run(written.query, on.acting.view, values, limits)
        whole = await self._whole(on, written, answer.rows[:rows], ceiling)
        given, cut = _cut(whole, rows, limits, written)
        given = self._digests.rows(given, written.hashed)
        note_answer(answer, len(given), cut)
        goes_on = len(answer.rows) > len(given) and bool(given)
        return Page(
            table=request.table,
            fields=_fields(written, answer.fields),
            rows=[row[: len(written.fields)] for row in given],
            truncated=cut or ("rows" if goes_on and rows < (request.selection.limit or rows) else ""),
            limit=rows,
            offset=page.offset,
            hashed=frozenset(written.hashed),
            next_cursor=self._next(written, page, given, limits.cell, _bound_to(on, request)) if goes_on else None,
            total=await self._total(on, request, page, None if goes_on or not given else len(given)),
        )

    async def stream(self, caller: Caller, request: ReadRequest, ceiling: Ceiling) -> AsyncGenerator[Rows]:
        """Every row of the request, in batches, up to the ceiling: for answers that are written as they come.

        Errors: as `read`; Invalid (`not-on-this-engine`).
        """
        async with self._source.turn(caller) as turn:
            async for batch in self._stream(_standing(caller, turn), request, ceiling):
                yield batch

    async def explain(self, caller: Caller, request: ReadRequest, ceiling: Ceiling = FOR_PROGRAMS) -> Explanation:
        """Whether the request would run, and as what SQL; nothing does. Errors: as `read`, but for refusals."""
        async with self._source.turn(caller) as turn:
            on = _standing(caller, turn)
            note(explained=True)
            page = _page_of(request, None, _page_rows(request, on.acting, ceiling))
            try:
                written = await asyncio.to_thread(written_read, request, on.ground, on.acting, page)
                values = on.values(written, request, None)
            except Invalid as fault:
                note(verdict="refused", rule=fault.code)
                return refused_explanation(fault, on.acting)
            with noting_disagreement(written.query):
                estimate = await on.acting.engine.estimate(written.query, on.acting.view, values)
            note(**permitted(written.query, repr(read_shape(request)), on.acting.view, with_text=False))
            told = replace(on.acting, view=on.acting.shown)
            shown = await asyncio.to_thread(written_read, request, on.ground, told, page)
            return permitted_explanation(written.query, shown.query.sql, on.acting, estimate)

    async def _stream(self, on: _Standing, request: ReadRequest, ceiling: Ceiling) -> AsyncGenerator[Rows]:
        most = min(ceiling.rows, on.acting.role.limits.most_streamed)
        rows = most if request.selection.limit is None else min(most, request.selection.limit)
        page = PageOf(rows, request.selection.offset, goes_on=False)
        write = functools.partial(written_read, page=page)
        written, values = await self._kept(on, request, ("stream", page), write)
        async for batch in on.acting.engine.stream(
            written.query, on.acting.view, values, _limits(on.acting, ceiling, rows, written)
        ):
            rows_ = self._digests.rows(await self._whole(on, written, batch.rows, ceiling), written.hashed)
            yield Rows(_fields(written, batch.fields), rows_, batch.query_id)

    async def _kept(
        self,
        on: _Standing,
        request: ReadRequest,
        of: tuple[object, ...],
        write: Callable[[ReadRequest, Ground, Acting], Written],
        more: Place | Values | None = None,
    ) -> tuple[Written, Values]:
        """The statement of this shape, within the role's budget, and what fills its slots."""
        written, values = await self._confirmed(on, request, of, write, more)
        budget = on.acting.role.limits.budget
        await keep_to_budget(budget, on.acting.engine, written.query, on.acting.view, values)
        return written, values

    async def _confirmed(
        self,
        on: _Standing,
        request: ReadRequest,
        of: tuple[object, ...],
        write: Callable[[ReadRequest, Ground, Acting], Written],
        more: Place | Values | None,
    ) -> tuple[Written, Values]:
        """Remembered, or written and confirmed by the engine."""
        key = (*of, on.acting.name, read_shape(request))
        known = on.ground.verdicts.get(key)
        if isinstance(known, _Kept):
            note(**known.noted)
            return known.written, on.values(known.written, request, more)
        written = await asyncio.to_thread(write, request, on.ground, on.acting)
        values = on.values(written, request, more)
        with noting_disagreement(written.query):
            await on.acting.engine.confirm(written.query, on.acting.view, values)
        noted = permitted(written.query, repr(key), on.acting.view, with_text=False)
        note(**noted)
        if len(on.ground.verdicts) >= _SHAPES_KEPT:
            on.ground.verdicts.pop(next(iter(on.ground.verdicts)))
        on.ground.verdicts[key] = _Kept(written.query, noted, written)
        return written, values

    async def _whole(self, on: _Standing, written: Written, rows: RowsOf, ceiling: Ceiling) -> RowsOf:
        """The rows with those related ones that come by statements of their own."""

        async def ask(embed: Embed, relation: Relation, keys: Sequence[Key]) -> tuple[Written, RowsOf]:
            request = ReadRequest(on.acting.view.display_name(relation.target), embed.selection)
            write = functools.partial(written_related, relation=relation, keys=padded(len(keys)))
            junction = relation.junction and relation.junction.key
            of = ("related", relation.key, relation.pairs, junction, padded(len(keys)))
            found, values = await self._kept(on, request, of, write, link_values(keys))
            limits = Limits(MOST_FETCHED, min(ceiling.seconds, on.acting.role.limits.time), cell=ceiling.cell)
            answer = await on.acting.engine.run(found.query, on.acting.view, values, limits)
            return found, self._digests.rows(answer.rows, found.hashed)

        return await embedded(written, rows, ask)

    async def _total(self, on: _Standing, request: ReadRequest, page: PageOf, seen: int | None) -> int | None:
        """The count that was asked for. A first page that is the last one has counted already."""
        if not request.count:
            return None
        if seen is not None and page.nulls is None and page.offset == 0:
            return seen
        if request.count == "estimated":
            guess = await self._estimated(on, request)
            if guess is not None:
                return guess
        written, values = await self._kept(on, request, ("count",), written_count)
        limits = Limits(1, on.acting.role.limits.time)
        answer = await on.acting.engine.run(written.query, on.acting.view, values, limits)
        return int(str(answer.rows[0][0]))

    async def _estimated(self, on: _Standing, request: ReadRequest) -> int | None:
        """What the engine expects. Where a row rule hides rows it would tell of them, so there it is not asked."""
        write = functools.partial(written_count, is_estimated=True)
        written, values = await self._kept(on, request, ("estimate",), write)
        if any(table.condition is not None for table in written.query.tables):
            return None
        return (await on.acting.engine.estimate(written.query, on.acting.view, values)).rows

    def _next(self, written: Written, page: PageOf, given: RowsOf, cell: int, bound_to: str) -> str | None:
        """Where the page ended: by the values of its last row, or by counting where rows have no key."""
        if written.order:
            values = tuple(given[-1][place] for place in written.order)
            sealed = self._cursors.sealed(Place(values), bound_to) if same_order(values, cell) else None
            if sealed is not None or page.nulls is not None:
                return sealed
        return self._cursors.sealed(Place(offset=page.offset + len(given)), bound_to)


def _standing(caller: Caller, turn: Turn) -> _Standing:
    note_acting("read", turn.ground, turn.acting)
    return _Standing(caller, turn.ground, turn.acting.selecting)


def _page_rows(request: ReadRequest, acting: Acting, ceiling: Ceiling) -> int:
    asked = ceiling.default_rows if request.selection.limit is None else request.selection.limit
    return min(asked, ceiling.rows, acting.role.limits.rows)


def _page_of(request: ReadRequest, place: Place | None, rows: int) -> PageOf:
    if place is None:
        return PageOf(rows, request.selection.offset)
    return PageOf(rows, nulls=place.nulls) if place.values else PageOf(rows, place.offset)


def _limits(acting: Acting, ceiling: Ceiling, rows: int, written: Written) -> Limits:
    """Related rows come as one cell, which may be as long as the whole answer."""
    cell = ceiling.bytes if any(field.type == "json" for field in written.fields) else ceiling.cell
    role = acting.role.limits
    return Limits(rows, min(ceiling.seconds, role.time), min(ceiling.bytes, role.bytes), cell)


def _cut(
    rows: Sequence[Sequence[object]], most: int, limits: Limits, written: Written
) -> tuple[Sequence[Sequence[object]], Cut]:
    """The rows that fit into the answer; at least one, if it is whole."""
    size = 0
    for count, row in enumerate(rows[:most]):
        size += sum([len(cell) + 3 if isinstance(cell, str | bytes) else 8 for cell in row])
        if size > limits.bytes:
            if count:
                return rows[:count], "bytes"
            _check_whole(row, limits, written)
    return rows[:most], ""


def _check_whole(row: Sequence[object], limits: Limits, written: Written) -> None:
    for field, cell in zip(written.fields, row, strict=False):
        if field.type == "json" and isinstance(cell, str) and len(cell) > limits.cell:
            raise Invalid(
                f"the rows related to one row exceed {limits.bytes} bytes",
                hint=f"give {field.name} fewer columns or a limit, as in {field.name}.limit=10",
                code="too-large",
            )


def _fields(written: Written, answered: Sequence[Field]) -> list[Field]:
    """Names and types: as the engine says them, or, for what it has no type for, as the schema does."""
    own = len(written.fields) - len(written.followed)
    return [
        *(
            mine if mine.is_json or not there.type else Field(mine.name, there.type, there.is_json)
            for mine, there in zip(written.fields[:own], answered, strict=False)
        ),
        *written.fields[own:],
    ]


def _bound_to(on: _Standing, request: ReadRequest) -> str:
    """All that a cursor goes with: another filter, order, role or policy takes it for nothing."""
    selection = request.selection
    parts = (request.table, selection.columns, selection.embeds, selection.filter, selection.order, request.having)
    return repr((on.acting.name, on.ground.policy.version, on.ground.catalog.version, parts))
