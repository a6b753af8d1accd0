"""A question to a log, and the few lines that answer it: the traces that matter, the newest matches, what was left out.

Reads from the end where the source can, in blocks, and stops at its bounds of bytes, lines and time. Secrets are taken
out of the lines before anything is cut, also before it is decided what matches. Below: `log_walk`, `log_scan`,
`log_tail`, `log_shortening`. Where logs come from: `log_sources`.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from pierhead.core.errors import Invalid
from pierhead.sdk.log_lines import ERROR, RANKS, Level, decoded, level_of, shortened, time_of
from pierhead.sdk.log_scan import Found, Scan
from pierhead.sdk.log_shortening import shortened_record, size_of
from pierhead.sdk.log_sources import ForwardSource, LogSource
from pierhead.sdk.log_tail import Tail
from pierhead.sdk.log_walk import Walk, windows
from pierhead.sdk.redacting import redact

MOST_SCANNED: Final = 50 * 2**20
"""Bytes that are looked through from the end on; as long as no trace was found, up to 1 GiB, within the time."""
MOST_LINES: Final = 2_000
MOST_BYTES: Final = 64_000

_MOST_SEARCHED: Final = 2**30
_MOST_CONTEXT: Final = 20
_LEAST_BYTES: Final = 500
_PINNED: Final = 2
_LONGEST_CURSOR: Final = 40


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """`level` is the least; `contains` a literal text that stands in a record; `tail` lines and `max_bytes` at most.

    Records of a level and above are answered, with their traces; of lower ones those that hold a trace, too: a log that
    relays another gives everything one level. `context` lines come with each. `cursor` goes on, further back.
    """

    level: Level = "error"
    contains: str = ""
    context: int = 3
    tail: int = 200
    max_bytes: int = 16_000
    cursor: str = ""


class LogLine(BaseModel):
    """A line. `number` counts from 1 at the beginning, or from -1 at the end where the beginning was not read.

    `repeats` tells how many more records say the same and were left out; `at` is the time as it stands there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    text: str
    at: str | None = None
    level: str | None = None
    is_match: bool = False
    repeats: int = 0


class LogSlice(BaseModel):
    """Lines in the log's order. `matched` counts records in what was read; `truncated` says what cut the rest off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lines: list[LogLine]
    matched: int
    bytes_total: int | None
    bytes_read: int
    next_cursor: str | None = None
    truncated: Literal["bytes", "lines", "time"] | None = None

    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(line.text for line in self.lines)


async def read_log(
    source: LogSource, question: LogQuestion, *, most_scanned: int = MOST_SCANNED, seconds: float = 20
) -> LogSlice:
    """The lines of `source` that answer `question`.

    Units: `most_scanned` in bytes. Errors: Invalid (`bad-cursor`), and those of the source.
    """
    asked = replace(
        question,
        tail=max(1, min(question.tail, MOST_LINES)),
        max_bytes=max(_LEAST_BYTES, min(question.max_bytes, MOST_BYTES)),
        context=max(0, min(question.context, _MOST_CONTEXT)),
    )
    end, number = _cursor(asked.cursor) if asked.cursor else (-1, 0)
    is_forward = isinstance(source, ForwardSource) and await source.is_forward()
    walk = Walk(is_forward, await source.size(), end, number)
    deadline = asyncio.get_running_loop().time() + seconds
    if asked.level in {"error", "warning"} or asked.contains:
        return await _searched(source, asked, walk, most_scanned, deadline)
    return await _tail(source, asked, walk, deadline)


async def _searched(source: LogSource, asked: LogQuestion, walk: Walk, most_scanned: int, deadline: float) -> LogSlice:
    scan = Scan(RANKS[asked.level], asked.contains.encode(), asked.context, walk.is_forward)
    async with aclosing(windows(source, walk)) as found:
        async for window in found:
            await asyncio.to_thread(scan.look, window)
            walk.read += window.high - window.low
            if walk.is_whole:
                break
            if asyncio.get_running_loop().time() > deadline:
                walk.why = "time"
            elif scan.is_worn_out or walk.read >= _MOST_SEARCHED or _is_enough(scan, asked, walk, most_scanned):
                walk.why = "bytes"
            if walk.why:
                break
    return await asyncio.to_thread(_answer, scan, asked, walk)


def _is_enough(scan: Scan, asked: LogQuestion, walk: Walk, most_scanned: int) -> bool:
    """Whether what was found will do. A stream is read to its end: there the newest stands."""
    if walk.is_forward or walk.read < most_scanned:
        return False
    return bool(scan.found) if asked.contains or asked.level != "error" else scan.has_trace


def _answer(scan: Scan, asked: LogQuestion, walk: Walk) -> LogSlice:
    """The best trace or two, then the newest, as many as there is room for."""
    newest = sorted(scan.found.values(), key=lambda record: record.begin, reverse=True)
    room = _Room(asked)
    chosen: dict[int, list[LogLine]] = {}
    for record in () if asked.cursor else _pinned(newest):
        chosen[record.begin] = room.lines_of(record, asked.max_bytes // (3 if chosen else 2))
    oldest: Found | None = None
    for record in newest:
        if record.begin not in chosen:
            lines = room.lines_of(record, max(_LEAST_BYTES, asked.max_bytes // 4))
            if room.why:
                walk.why = room.why
                break
            chosen[record.begin] = lines
        oldest = record
    return _slice(chosen, scan.matched, walk, _behind(walk, oldest, is_cut=room.why is not None))


def _pinned(newest: Sequence[Found]) -> Sequence[Found]:
    """The newest traces, those of errors before those of what only mentions one."""
    traces = [record for record in newest if record.has_trace]
    return ([record for record in traces if record.rank in {0, ERROR}] or traces)[:_PINNED]


def _behind(walk: Walk, oldest: Found | None, *, is_cut: bool) -> str | None:
    """Where to go on, further back: before the oldest that was told, or before all that was read."""
    end = walk.end if walk.end >= 0 else walk.total or 0
    if is_cut:
        return f"{oldest.begin}.{oldest.number}" if oldest else f"{end}.0"
    return None if walk.is_whole or walk.is_forward else f"{walk.turn[0]}.{walk.turn[1]}"


def _slice(chosen: Mapping[int, Sequence[LogLine]], matched: int, walk: Walk, behind: str | None) -> LogSlice:
    lines = [line for _, told in sorted(chosen.items()) for line in told]
    if not walk.is_forward and walk.is_whole and walk.end < 0:
        lines = [line.model_copy(update={"number": line.number - walk.lines + 1}) for line in lines]
    seen = {line.number for line in lines if line.is_match}
    once: list[LogLine] = []
    for line in lines:
        if line.is_match or line.number not in seen:
            once.append(line)
            seen.add(line.number)
    return LogSlice(
        lines=once,
        matched=matched,
        bytes_total=walk.total,
        bytes_read=walk.read,
        next_cursor=behind,
        truncated=walk.why if behind or walk.why == "time" else None,
    )


class _Room:
    """How much may still be told; `why` says what it ran out of."""

    def __init__(self, asked: LogQuestion) -> None:
        self._asked = asked
        self._bytes = asked.max_bytes
        self._lines = asked.tail
        self.why: Literal["bytes", "lines"] | None = None

    def lines_of(self, record: Found, most: int) -> list[LogLine]:
        """The lines of a record, redacted and cut to `most` bytes, with its context if there is room for that."""
        texts = _texts(record.lines)
        wanted = self._asked.contains
        if wanted and wanted not in "\n".join(texts):
            return []  # it was found by a secret
        step = 0 if record.is_one_line else 1
        whole = [(record.number + step * place, shortened(text, wanted)) for place, text in enumerate(texts)]
        numbered = shortened_record(whole, min(most, self._bytes), self._asked.tail)
        size = sum(size_of(text) for _, text in numbered)
        if size > self._bytes or len(numbered) > self._lines:
            self.why = "bytes" if size > self._bytes else "lines"
            return []
        self._take(size, len(numbered))
        lines = [LogLine(number=number, text=text, is_match=True) for number, text in numbered]
        told = {"at": time_of(record.lines[0]), "level": level_of(record.lines[0]), "repeats": record.count - 1}
        lines[0] = lines[0].model_copy(update=told)
        before = self._around(record.before, record.number - len(record.before))
        behind = record.number + (1 if record.is_one_line else len(record.lines))
        return [*before, *lines, *self._around(record.after, behind)]

    def _around(self, lines: Sequence[bytes], number: int) -> list[LogLine]:
        texts = [shortened(_texts([line])[0]) for line in lines]
        size = sum(map(size_of, texts))
        if not texts or size > self._bytes // 2 or len(texts) > self._lines // 2:
            return []
        self._take(size, len(texts))
        return [LogLine(number=number + place, text=text) for place, text in enumerate(texts)]

    def _take(self, size: int, lines: int) -> None:
        self._bytes -= size
        self._lines -= lines


async def _tail(source: LogSource, asked: LogQuestion, walk: Walk, deadline: float) -> LogSlice:
    """The last lines of a level and above."""
    tail = Tail(RANKS[asked.level], asked.tail, walk.is_forward)
    async with aclosing(windows(source, walk)) as found:
        async for window in found:
            await asyncio.to_thread(tail.look, window)
            walk.read += window.high - window.low
            if walk.is_whole:
                break
            if asyncio.get_running_loop().time() > deadline:
                walk.why = "time"
            elif tail.is_enough:
                walk.why = "lines"
            if walk.why:
                break
    return await asyncio.to_thread(_told_tail, tail, asked, walk)


def _told_tail(tail: Tail, asked: LogQuestion, walk: Walk) -> LogSlice:
    """As many of the last lines as there is room for."""
    kept = tail.kept[-asked.tail :]
    texts = [shortened(text) for text in _texts(line.raw for line in kept)] if kept else []
    kept = kept[-len(texts) :]  # a secret of several lines became one
    size, first = 0, len(texts)
    while first > 0 and (size := size + size_of(texts[first - 1])) <= asked.max_bytes:
        first -= 1
    lines = [
        LogLine(number=line.number, text=text, at=time_of(line.raw), level=level_of(line.raw), is_match=True)
        for line, text in zip(kept[first:], texts[first:], strict=True)
    ]
    is_all = walk.is_whole and first == 0 and len(kept) == len(tail.kept)
    walk.why = "bytes" if first else walk.why or (None if is_all else "lines")
    behind = None if is_all or first == len(kept) else f"{kept[first].begin}.{kept[first].number}"
    return _slice({0: lines}, len(tail.kept), walk, behind)


def _texts(lines: Iterable[bytes]) -> list[str]:
    """The lines as text, without secrets."""
    return redact("\n".join(map(decoded, lines))).split("\n")


def _cursor(text: str) -> tuple[int, int]:
    """Errors: Invalid (`bad-cursor`)."""
    begin, _, number = text.partition(".")
    if len(text) > _LONGEST_CURSOR or not begin.isdecimal() or not number.removeprefix("-").isdecimal():
        raise Invalid("this is no cursor of a log", hint="take next_cursor as it was", code="bad-cursor")
    return int(begin), int(number)
