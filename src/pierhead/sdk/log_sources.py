"""Where a log is read from: a file, bytes, or whatever comes in pieces. Bytes in blocks; nothing is held whole.

What can be read from its end is; what cannot (a stream, a packed file, UTF-16) is read from its beginning once, with
the same memory. Above: `log_reading`. Not here: what a line says.
"""

import asyncio
import codecs
import zlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol, runtime_checkable

from pierhead.core.errors import NotFound, ToolFailed

#: What a stream keeps where only its end is wanted.
LONGEST_TAIL: Final = 64 * 2**20

_GZIP: Final = b"\x1f\x8b"
_WIDE: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_HEAD: Final = 4
_MOST_UNPACKED: Final = 4 * 2**30


class LogSource(Protocol):
    """A log. `size` is in bytes, None where nobody knows before the end."""

    async def size(self) -> int | None: ...

    def blocks_from_end(self, block: int) -> AsyncIterator[bytes]:
        """Its bytes in blocks of at most so many, the last block first; joined in reverse they are the log.

        Errors: NotFound (`no-such-log`), ToolFailed.
        """
        ...


@runtime_checkable
class ForwardSource(Protocol):
    """A log that may be readable only from its beginning."""

    async def is_forward(self) -> bool: ...

    def blocks(self) -> AsyncIterator[bytes]:
        """Its bytes, unpacked and as UTF-8 or a one-byte encoding, in order."""
        ...


class BytesSource:
    """A log that is here already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def size(self) -> int | None:
        return None if await self.is_forward() else len(self._content)

    async def is_forward(self) -> bool:
        return _is_packed(self._content[:_HEAD])

    async def blocks(self) -> AsyncGenerator[bytes]:
        async for piece in unpacked(_once(self._content)):
            yield piece

    async def blocks_from_end(self, block: int) -> AsyncGenerator[bytes]:
        for end in range(len(self._content), 0, -block):
            yield self._content[max(0, end - block) : end]


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file in a folder whose files may be read; what leads out of the folder is no such log."""

    path: Path
    folder: Path

    async def size(self) -> int | None:
        """Errors: NotFound (`no-such-log`)."""
        return None if await self.is_forward() else (await asyncio.to_thread(self._found)).stat().st_size

    async def is_forward(self) -> bool:
        """Errors: NotFound (`no-such-log`)."""
        return _is_packed(await asyncio.to_thread(self._head))

    async def blocks(self) -> AsyncGenerator[bytes]:
        async for piece in unpacked(self._in_order()):
            yield piece

    async def blocks_from_end(self, block: int) -> AsyncGenerator[bytes]:
        """Errors: NotFound (`no-such-log`)."""
        opened = await asyncio.to_thread(self._opened)
        try:
            end = await asyncio.to_thread(opened.seek, 0, 2)
            while end > 0:
                begin = max(0, end - block)
                yield await asyncio.to_thread(_read_at, opened, begin, end - begin)
                end = begin
        finally:
            opened.close()

    async def _in_order(self) -> AsyncGenerator[bytes]:
        opened = await asyncio.to_thread(self._opened)
        try:
            while piece := await asyncio.to_thread(opened.read, 2**20):
                yield piece
        finally:
            opened.close()

    def _head(self) -> bytes:
        with self._opened() as opened:
            return opened.read(_HEAD)

    def _opened(self) -> BinaryIO:
        try:
            return self._found().open("rb", buffering=0)  # pyright: ignore[reportReturnType] - raw, and read in blocks
        except OSError:
            raise _no_such(self.path) from None

    def _found(self) -> Path:
        found = self.path.resolve()
        if not found.is_relative_to(self.folder.resolve()) or not found.is_file():
            raise _no_such(self.path)
        return found


class StreamSource:
    """A log that comes in pieces, once. Packed ones are unpacked."""

    def __init__(self, pieces: AsyncIterator[bytes], size: int | None = None) -> None:
        self._pieces = pieces
        self._size = size

    async def size(self) -> int | None:
        return self._size

    async def is_forward(self) -> bool:
        return True

    async def blocks(self) -> AsyncGenerator[bytes]:
        async for piece in unpacked(self._pieces):
            yield piece

    async def blocks_from_end(self, block: int) -> AsyncGenerator[bytes]:
        """The last 64 MiB of it, after all of it went by."""
        kept: deque[bytes] = deque()
        size = 0
        async for piece in self.blocks():
            kept.append(piece)
            size += len(piece)
            while size - len(kept[0]) > LONGEST_TAIL:
                size -= len(kept.popleft())
        while kept:
            piece = kept.pop()
            for end in range(len(piece), 0, -block):
                yield piece[max(0, end - block) : end]


async def unpacked(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """`pieces`, out of gzip and UTF-16 if their beginning says so. Errors: ToolFailed (`log-unreadable`)."""
    head = b""
    async for piece in pieces:
        head += piece
        if len(head) >= _HEAD:
            break
    rest = _then(head, pieces)
    if head.startswith(_GZIP):
        async for piece in unpacked(_inflated(rest)):
            yield piece
    elif head[:2] in _WIDE:
        decoder = codecs.getincrementaldecoder(_WIDE[head[:2]])(errors="replace")
        async for piece in rest:
            yield decoder.decode(piece).lstrip("\ufeff").encode()
    else:
        async for piece in rest:
            yield piece


async def _inflated(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Out of gzip, several members in a row too. What was cut off in the middle gives what is there."""
    packer = zlib.decompressobj(31)
    told = 0
    async for piece in pieces:
        left = piece
        while left:
            try:
                out = packer.decompress(left, 2**20)
            except zlib.error:
                message = "the log is packed and its bytes are damaged"
                raise ToolFailed(message, hint="look at it where it lies", code="log-unreadable") from None
            told += len(out)
            if told > _MOST_UNPACKED:
                raise ToolFailed("the log unpacks to more than 4 GiB", hint="narrow it", code="log-unreadable")
            yield out
            left = packer.unconsumed_tail
            if packer.eof:
                left, packer = packer.unused_data, zlib.decompressobj(31)
    yield packer.flush()


async def _then(head: bytes, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    if head:
        yield head
    async for piece in pieces:
        yield piece


async def _once(content: bytes) -> AsyncGenerator[bytes]:
    for begin in range(0, len(content), 2**20):
        yield content[begin : begin + 2**20]


def _is_packed(head: bytes) -> bool:
    return head.startswith(_GZIP) or head[:2] in _WIDE


def _read_at(opened: BinaryIO, begin: int, size: int) -> bytes:
    opened.seek(begin)
    parts: list[bytes] = []
    while size > 0 and (part := opened.read(size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _no_such(path: Path) -> NotFound:
    return NotFound(
        f"there is no log {path.name}", hint="it may have been removed by its retention", code="no-such-log"
    )
