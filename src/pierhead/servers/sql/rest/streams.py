"""Answers of more rows than a page: written as the engine gives them, with one batch in memory.

A stream whose end arrives is whole. What had to be cut at a limit that the caller did not ask for is left without
its end, and every HTTP client reports that. Not here: the engines' cursors, the host's part of a stream.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Protocol

from pierhead.sdk import ToolFailed
from pierhead.sdk.governed.engine import Field, Rows
from pierhead.sdk.routes import Done, Stream
from pierhead.servers.sql.rest import encoding
from pierhead.servers.sql.rest.arrow import ArrowStream
from pierhead.servers.sql.rest.preferences import Format, Preferences, Wanted
from pierhead.servers.sql.rest.replies import VARY, content_type

MOST_STREAMED_BYTES: Final = 100 * 1024 * 1024
STREAMED_CELL: Final = 1024 * 1024


class _Writer(Protocol):
    """One format, row batch by row batch."""

    def begin(self) -> bytes: ...
    def batch(self, rows: Sequence[Sequence[object]]) -> bytes: ...
    def end(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Csv:
    fields: Sequence[Field]
    wanted: Wanted

    def begin(self) -> bytes:
        quotes = self.wanted.quotes_formulas
        return encoding.csv_header(self.fields, quotes_formulas=quotes) if self.wanted.names_columns else b""

    def batch(self, rows: Sequence[Sequence[object]]) -> bytes:
        return encoding.csv_lines(rows, quotes_formulas=self.wanted.quotes_formulas)

    def end(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class _Lines:
    fields: Sequence[Field]

    def begin(self) -> bytes:
        return b""

    def batch(self, rows: Sequence[Sequence[object]]) -> bytes:
        return encoding.lines(self.fields, rows)

    def end(self) -> bytes:
        return b""


def _writer(wanted: Wanted, fields: Sequence[Field]) -> _Writer:
    if wanted.format is Format.ARROW:
        return ArrowStream(fields)
    return _Csv(fields, wanted) if wanted.format is Format.CSV else _Lines(fields)


@dataclass(frozen=True, slots=True)
class Streaming:
    """One long answer. `limit` rows at most; `is_asked` says that the caller named just that limit."""

    wanted: Wanted
    preferences: Preferences
    limit: int
    is_asked: bool

    def within(self, most: int) -> "Streaming":
        """The same, with at most so many rows: a role may have less than was asked for."""
        return self if most >= self.limit else replace(self, limit=most, is_asked=False)

    async def send(self, batches: AsyncGenerator[Rows], out: Stream) -> tuple[Done, int]:
        """Write everything; what was done, and how many rows.

        Errors: whatever the engine raises; ToolFailed (`stream-cut`), at a limit that the caller did not ask for.
        """
        count = 0
        async with aclosing(batches):
            writer: _Writer | None = None
            async for rows in batches:
                if writer is None:
                    writer = _writer(self.wanted, rows.fields)
                    await out.open(200, self._headers())
                    await out.write(writer.begin())
                kept = rows.rows[: self.limit - count]
                count += len(kept)
                if kept:
                    await out.write(_whole(writer.batch(kept), kept))
                self._check(len(kept) < len(rows.rows), out)
            if writer is not None:
                await out.write(writer.end())
        return Done(None, out.bytes_out), count

    def _check(self, has_more: bool, out: Stream) -> None:
        if has_more and not self.is_asked:
            raise _cut(f"{self.limit} rows", "ask for fewer by limit, and go on from there")
        if out.bytes_out > MOST_STREAMED_BYTES:
            raise _cut("100 MB", "select fewer columns or rows")

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", content_type(self.wanted)),
            VARY,
            *self.preferences.applied(),
        ]


def _whole(chunk: bytes, rows: Sequence[Sequence[object]]) -> bytes:
    """The chunk, if every cell of it is whole: engines cut longer ones."""
    if len(chunk) > STREAMED_CELL:
        cells = (cell for row in rows for cell in row if isinstance(cell, (str, bytes)))
        if any(len(cell) > STREAMED_CELL for cell in cells):
            raise _cut("a cell of more than a million characters", "leave its column out, or read its row by key")
    return chunk


def _cut(where: str, hint: str) -> ToolFailed:
    return ToolFailed(f"the stream was cut at {where}", hint=hint, code="stream-cut")
