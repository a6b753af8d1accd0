"""Looks through blocks of a log for records that matter, and remembers the newest of each kind.

Candidates are found by searching bytes from the end (`rfind`, at gigabytes a second); only what lies around one is
read as lines. Records that say the same but for numbers count as one. Below: `log_lines`. Above: `log_reading`, which
brings the blocks and chooses. Not here: secrets, which are taken out of what is chosen.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pierhead.sdk.log_lines import (
    ERROR,
    WARNING,
    as_text_lines,
    head_of,
    is_indented,
    is_raised,
    is_trace,
    plain,
    rank_of,
    sounds_bad,
)

#: On both sides of a block its neighbours are read so far along, for records that lie across.
MARGIN: Final = 64 * 1024

_MOST_LINES: Final = 600
_MOST_CANDIDATES: Final = 30_000
_MOST_RECORDS: Final = 1_500
_SPARED: Final = 500
_SEARCHED_HEAD: Final = 30
_NEWLINE: Final = ord("\n")
_SIGNS: Final = (b"rror", b"RROR", b"xception", b"FATAL", b"CRITICAL", b"SEVERE", b"Traceback (", b"illed", b"anic:")
_SIGNS_OF_WARNING: Final = (*_SIGNS, b"WARN", b"arning")
_SIGNS_OF_TRACES: Final = (b"Traceback (", b"\n\tat ", b"Caused by:")
_VARIABLE: Final = re.compile(rb"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*|\d+")


@dataclass(slots=True)
class Found:
    """One record: where it lies, its lines, and how often the like was met. `number` counts lines to its first."""

    begin: int
    number: int
    lines: list[bytes]
    rank: int
    has_trace: bool
    is_one_line: bool = False
    """It stands in one line of JSON: its lines have one number."""
    before: Sequence[bytes] = ()
    after: Sequence[bytes] = ()
    count: int = 1


@dataclass(frozen=True, slots=True)
class Window:
    """A block with its margins: `data[low:high]` is the block, and `data[0]` lies at `begin` of the log.

    `number` is that of the line at `high`, counted from wherever the reader counts.
    """

    data: bytes
    begin: int
    low: int
    high: int
    number: int


@dataclass(slots=True)
class Scan:
    """What is looked for, and what was found by now. `rank` is the least level; `text` must stand in a record."""

    rank: int
    text: bytes
    context: int
    is_forward: bool
    found: dict[bytes, Found] = field(default_factory=dict[bytes, Found])
    matched: int = 0
    candidates: int = 0
    _edge: int | None = None

    @property
    def has_trace(self) -> bool:
        return any(record.has_trace for record in self.found.values())

    @property
    def is_worn_out(self) -> bool:
        """Whether so much was looked at that looking on would take too long."""
        return self.candidates >= 2 * _MOST_CANDIDATES

    def look(self, window: Window) -> None:
        """Find the records that begin or lie in the block, from its end to its beginning."""
        low, upper = self._bounds(window)
        signs = self._signs()
        places = {sign: window.data.rfind(sign, low, upper + len(sign) - 1) for sign in signs}
        counted, number = upper, window.number - window.data.count(b"\n", upper, window.high)
        ahead: int | None = None
        reach = len(window.data)
        while not self.is_worn_out:
            for sign, place in places.items():
                if place >= upper:
                    places[sign] = window.data.rfind(sign, low, upper)
            place = max(places.values())
            if place < low:
                break
            self.candidates += 1
            begin, end = record_around(window.data, place, reach)
            number -= window.data.count(b"\n", begin, counted)
            counted = begin
            self._judge(window, begin, end, number)
            ahead = end if ahead is None else ahead
            reach, upper = begin, max(begin, low)
            if self.candidates == _MOST_CANDIDATES and not self.text:
                places = {sign: window.data.rfind(sign, low, upper) for sign in _SIGNS_OF_TRACES}
        self._remember_edge(window, begin=counted, end=ahead)

    def _signs(self) -> Sequence[bytes]:
        if self.text:
            return (self.text,)
        if self.candidates >= _MOST_CANDIDATES:
            return _SIGNS_OF_TRACES
        return _SIGNS if self.rank >= ERROR else _SIGNS_OF_WARNING

    def _bounds(self, window: Window) -> tuple[int, int]:
        """Without what a record of the block before took along."""
        if self._edge is None:
            return window.low, window.high
        edge = self._edge - window.begin
        return (max(window.low, edge), window.high) if self.is_forward else (window.low, min(window.high, edge))

    def _remember_edge(self, window: Window, *, begin: int, end: int | None) -> None:
        edge = end if self.is_forward else begin
        self._edge = None if edge is None else window.begin + edge

    def _judge(self, window: Window, begin: int, end: int, number: int) -> None:
        lines = [plain(line) for line in window.data[begin:end].split(b"\n")]
        if is_cut(window, begin):
            lines[0] = b"[...] " + lines[0].partition(b" ")[2]  # a secret's name may stand in what was cut away
        rank, is_one_line = rank_of(lines[0]), len(lines) == 1
        lines = as_text_lines(lines[0]) if is_one_line else lines
        has_trace = any(map(is_trace, lines))
        if not self._fits(lines, rank, has_trace):
            return
        self.matched += 1
        kind = fingerprint(lines) if self.rank >= WARNING else b"%d" % (window.begin + begin)
        known = self.found.pop(kind, None)
        if known is not None and not self.is_forward:
            known.count += 1
            self.found[kind] = known
            return
        record = Found(window.begin + begin, number, lines, rank or 0, has_trace, is_one_line)
        record.before = lines_before(window, begin, self.context)
        record.after = lines_after(window.data, end, self.context)
        record.count += known.count if known else 0
        self.found[kind] = record
        if len(self.found) > _MOST_RECORDS:
            self._forget()

    def _fits(self, lines: Sequence[bytes], rank: int | None, has_trace: bool) -> bool:
        if self.rank < WARNING or (rank is not None and rank >= self.rank):
            return rank is None or rank >= self.rank
        raised = has_trace or any(map(is_raised, lines))
        return raised or (rank is None and any(map(sounds_bad, lines)))

    def _forget(self) -> None:
        """Keep those with traces and the newest."""
        newest = sorted(self.found.items(), key=lambda item: (item[1].has_trace, item[1].begin), reverse=True)
        self.found = dict(newest[:_SPARED])


def record_around(data: bytes, place: int, reach: int) -> tuple[int, int]:
    """Where the record begins and ends in which `place` lies: a head and what goes on from it, or a bare trace.

    `reach` is where the next record begins, as far as that is known.
    """
    begin, end = _line_at(data, place)
    begin = _upwards(data, begin, end)
    return begin, _downwards(data, begin, max(end, _line_at(data, begin)[1]), reach)


def _upwards(data: bytes, begin: int, end: int) -> int:
    sure, top = begin, begin
    line = plain(data[begin:end])
    misses = 0
    for _ in range(_MOST_LINES):
        above = plain(data[slice(*_line_at(data, top - 1))]) if top > 0 else b""
        is_inner = _is_inner(line) or not line.strip()
        if head_of(line) is not None and (_is_first(line, above) if is_inner or is_raised(line) else True):
            return top
        if top == 0 or misses > _SEARCHED_HEAD:
            return sure
        misses = 0 if is_inner or is_raised(line) else misses + 1
        sure = top if misses == 0 and line.strip() else sure
        top, line = _line_at(data, top - 1)[0], above
    return sure


def _is_inner(line: bytes) -> bool:
    return is_trace(line) or is_indented(line)


def _is_first(line: bytes, above: bytes) -> bool:
    """Whether a trace begins with this line, each line of which a relay gave a head: it goes on with those above."""
    return b"Traceback (" in line or head_of(above) is None or not (_is_inner(above) or is_raised(above))


def _downwards(data: bytes, begin: int, end: int, reach: int) -> int:
    is_headed = head_of(plain(data[slice(*_line_at(data, begin))])) is not None
    sure = end
    for _ in range(_MOST_LINES):
        if end >= reach - 1:
            break
        start, stop = end + 1, _line_at(data, min(end + 1, len(data) - 1))[1]
        line = plain(data[start:stop])
        is_inner = _is_inner(line)
        if not is_inner and head_of(line) is not None and not is_raised(line):
            break
        if line.strip():
            if not (is_headed or is_inner or is_raised(line) or line[:1] in b" \t"):
                break
            sure = max(stop, end + 1)
        end = max(stop, end + 1)
    return min(sure, reach)


def _line_at(data: bytes, place: int) -> tuple[int, int]:
    """The line in which `place` lies, without its end; of one that is longer than a margin, the part around."""
    begin = data.rfind(b"\n", max(0, place - MARGIN), place) + 1 or max(0, place - MARGIN)
    end = data.find(b"\n", place, place + MARGIN)
    return begin, end if end >= 0 else min(len(data), place + MARGIN)


def is_cut(window: Window, begin: int) -> bool:
    """Whether a line begins there only because no more of it was read."""
    return window.begin > 0 if begin == 0 else window.data[begin - 1] != _NEWLINE


def lines_before(window: Window, begin: int, wanted: int) -> list[bytes]:
    """Whole lines in front of a record."""
    kept: list[bytes] = []
    while begin > 0 and not is_cut(window, begin) and len(kept) < wanted:
        start, stop = _line_at(window.data, begin - 1)
        if is_cut(window, start):
            break
        kept.append(plain(window.data[start:stop]))
        begin = start
    return kept[::-1]


def lines_after(data: bytes, end: int, wanted: int) -> list[bytes]:
    kept: list[bytes] = []
    while end < len(data) - 1 and data[end] == _NEWLINE and len(kept) < wanted:
        start, stop = end + 1, _line_at(data, end + 1)[1]
        kept.append(plain(data[start:stop]))
        end = max(stop, start)
    return kept


def fingerprint(lines: Sequence[bytes]) -> bytes:
    """What records have in common that say the same: the first line, and what was raised, without numbers."""
    said = [lines[0][:300], *[line[:200] for line in lines[1:] if is_raised(line) or b"Caused by" in line][:6]]
    return _VARIABLE.sub(b"#", b"\n".join(said))
