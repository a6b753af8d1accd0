"""The blocks of a log in the order in which they can be read, each with a margin of its neighbours.

Below: `log_sources`. Above: `log_reading`. Not here: what is looked for (`log_scan`, `log_tail`).
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Literal

from pierhead.sdk.log_scan import MARGIN, Window
from pierhead.sdk.log_sources import ForwardSource, LogSource

_BLOCK: Final = 8 * 2**20

Why = Literal["bytes", "lines", "time"]


@dataclass(slots=True)
class Walk:
    """How far a log was read. `end` is where reading begins that goes backwards, negative at the very end.

    `lines` is the number of the line at which the next block ends; `is_whole` once the beginning was reached.
    """

    is_forward: bool
    total: int | None
    end: int
    lines: int = 0
    read: int = 0
    why: Why | None = None
    is_whole: bool = False
    turn: tuple[int, int] = (0, 0)
    """Where the first whole line of what was read begins, and its number: another reader goes on before it."""


async def windows(source: LogSource, walk: Walk) -> AsyncGenerator[Window]:
    """The blocks of a log with their margins: from its end where the source can, else from its beginning."""
    async for window in _forward(source, walk) if walk.is_forward else _backward(source, walk):
        yield window


async def _backward(source: LogSource, walk: Walk) -> AsyncGenerator[Window]:
    total = walk.total or 0
    end = total if walk.end < 0 else min(walk.end, total)
    left = total - end  # what lies behind the cursor is not looked at again
    later, block = b"", b""
    async for piece in source.blocks_from_end(_BLOCK):
        earlier = piece[: len(piece) - min(left, len(piece))] if left else piece
        left -= len(piece) - len(earlier)
        if not earlier:
            continue
        if not later and not block and walk.end < 0 and not earlier.endswith(b"\n"):
            walk.lines = -1  # the last line has no end, and is the last line all the same
        if block:
            end -= len(block)
            number = _counted(walk, block)
            walk.turn = (end + block.find(b"\n") + 1, walk.lines + 1)
            yield _window(earlier[-MARGIN:], block, later[:MARGIN], end, number)
        later, block = block, earlier
    walk.is_whole = True
    if block:
        yield _window(b"", block, later[:MARGIN], end - len(block), _counted(walk, block))


def _counted(walk: Walk, block: bytes) -> int:
    """The number of the line at which the block ends; the walk goes on to where it begins."""
    number = walk.lines
    walk.lines -= block.count(b"\n")
    return number


async def _forward(source: LogSource, walk: Walk) -> AsyncGenerator[Window]:
    if not isinstance(source, ForwardSource):  # pragma: no cover - `Walk.is_forward` says that it is one
        return
    begin, lines = 0, 1
    earlier, block = b"", b""
    async for piece in _blocks(source, walk.end):
        if block:
            lines += block.count(b"\n")
            yield _window(earlier[-MARGIN:], block, piece[:MARGIN], begin, lines)
            begin += len(block)
        earlier, block = block, piece
    if block:
        lines += block.count(b"\n")
        walk.total, walk.is_whole = begin + len(block) if walk.end < 0 else None, True
        yield _window(earlier[-MARGIN:], block, b"", begin, lines)


async def _blocks(source: ForwardSource, end: int) -> AsyncGenerator[bytes]:
    """Pieces put together to blocks, up to `end` of the log if that is not negative."""
    parts: list[bytes] = []
    size, told = 0, 0
    async for piece in source.blocks():
        part = piece if end < 0 else piece[: max(0, end - told - size)]
        parts.append(part)
        size += len(part)
        if size >= _BLOCK:
            yield b"".join(parts)
            told, size = told + size, 0
            parts.clear()
        if len(part) < len(piece):
            break
    if size:
        yield b"".join(parts)


def _window(before: bytes, block: bytes, after: bytes, begin: int, number: int) -> Window:
    return Window(before + block + after, begin - len(before), len(before), len(before) + len(block), number)
