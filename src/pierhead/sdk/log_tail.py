"""The last lines of a log, those of a level and above. Below: `log_lines`. Above: `log_reading`."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from pierhead.sdk.log_lines import DEBUG, plain, rank_of
from pierhead.sdk.log_scan import Window

_MOST_READ: Final = 32 * 2**20


@dataclass(frozen=True, slots=True)
class TailLine:
    """`begin` is its place in the log, `number` as of `log_scan.Window`."""

    begin: int
    number: int
    raw: bytes


@dataclass(slots=True)
class Tail:
    """`wanted` lines at most; a line without a level goes with the line before it."""

    rank: int
    wanted: int
    is_forward: bool
    kept: list[TailLine] = field(default_factory=list[TailLine])
    _read: int = 0

    @property
    def is_enough(self) -> bool:
        return not self.is_forward and (len(self.kept) > self.wanted or self._read >= _MOST_READ)

    def look(self, window: Window) -> None:
        """Take in the lines that begin in the block; of more than are wanted, the last."""
        begin = window.data.find(b"\n", window.low - 1) + 1 if window.low else 0
        is_middle = window.low > 0 and begin == 0  # of one line without an end
        lines = [] if is_middle or begin >= window.high else self._lines(window, begin)
        self._read += window.high - window.low
        if self.is_forward:
            self.kept = [*self.kept, *lines][-self.wanted - 1 :]
        else:
            self.kept = [*lines, *self.kept]

    def _lines(self, window: Window, begin: int) -> list[TailLine]:
        end = window.data.find(b"\n", window.high - 1)
        data = window.data[begin : end if end >= 0 else len(window.data)]
        number = window.number - window.data.count(b"\n", begin, window.high)
        kept: deque[TailLine] = deque(maxlen=self.wanted + 1)
        is_kept, place = True, window.begin + begin
        for index, raw in enumerate(data.split(b"\n")):
            line = plain(raw)
            told = rank_of(line) if self.rank > DEBUG else None
            is_kept = is_kept if told is None else told >= self.rank
            if is_kept:
                kept.append(TailLine(place, number + index, line))
            place += len(raw) + 1
        return list(kept)
