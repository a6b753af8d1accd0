"""Results too large for one answer, kept for a while for whoever got them, and read back piece by piece.

One file a result, in a folder of the server's own; without one, in a temporary folder that goes with the process. A
handle is 128 random bits, and besides that only its owner's: another's reads as absent. Not here: what is kept (rows
and lines come as JSON), redaction (whoever puts), the caps of an answer (whoever reads).
"""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import orjson

from pierhead.core.errors import NotFound
from pierhead.core.identity import Caller

MOST_READ: Final = 200
_HANDLE: Final = re.compile(r"res_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Handle:
    """What was kept. Units: bytes on disk, Unix seconds."""

    handle: str
    count: int
    bytes: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of what was kept: `items` from `offset` on. `next_offset` is None at the end."""

    head: Any
    items: list[Any]
    next_offset: int | None
    total: int


class ResultStore:
    """Bounded by `most_bytes` in all: the oldest results go first. Blocking; call it in a thread.

    Units: `seconds` a result is kept; `now` gives Unix seconds.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        now: Callable[[], float],
        seconds: float = 1800,
        most_bytes: int = 256 * 2**20,
    ) -> None:
        self._temporary = TemporaryDirectory(prefix="pierhead-results-") if folder is None else None
        self._folder = folder or Path(cast("TemporaryDirectory[str]", self._temporary).name)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._now = now
        self._seconds = seconds
        self._most_bytes = most_bytes

    def put(self, caller: Caller, head: object, items: Sequence[object]) -> Handle | None:
        """Keep `items` (rows, lines) under `head` (columns) for that caller; None for more than there is room for."""
        whole = b"\n".join(orjson.dumps(item, default=str) for item in items)
        expires_at = self._now() + self._seconds
        known = {"owner": _owner(caller), "expires_at": expires_at, "head": head, "count": len(items)}
        body = orjson.dumps(known, default=str) + b"\n" + whole
        if len(body) > self._most_bytes:
            return None
        self._make_room(len(body))
        handle = f"res_{secrets.token_hex(16)}"
        descriptor = os.open(self._folder / handle, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        return Handle(handle, len(items), len(body), expires_at)

    def read(self, caller: Caller, handle: str, *, offset: int = 0, limit: int = 100, contains: str = "") -> Piece:
        """Items from `offset` on, of those that hold the text `contains`; at most 200.

        Errors: NotFound (`no-such-result`), alike for one that is unknown, expired or another's.
        """
        known, lines = self._opened(handle, caller)
        wanted = contains.casefold()
        found = [line for line in lines if not wanted or wanted in line.decode(errors="replace").casefold()]
        piece = found[offset : offset + min(limit, MOST_READ)]
        end = offset + len(piece)
        items = [orjson.loads(line) for line in piece]
        return Piece(known["head"], items, end if end < len(found) else None, len(found))

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def _opened(self, handle: str, caller: Caller) -> tuple[dict[str, Any], list[bytes]]:
        file = self._folder / handle
        if _HANDLE.fullmatch(handle):
            with suppress(FileNotFoundError):
                first, *lines = file.read_bytes().split(b"\n")
                known = cast("dict[str, Any]", orjson.loads(first))
                is_theirs = secrets.compare_digest(known["owner"], _owner(caller))
                if is_theirs and known["expires_at"] > self._now():
                    return known, lines[: known["count"]]
        raise NotFound(
            "there is no such result, or it has expired, or it is not yours",
            hint="run the query again",
            code="no-such-result",
        )

    def _make_room(self, needed: int) -> None:
        """Drop what has expired, and of the rest the oldest, until `needed` bytes fit."""
        kept = sorted(self._kept(), key=lambda each: each[0])
        left = sum(size for _, size, _ in kept) + needed
        for made, size, file in kept:
            if left <= self._most_bytes and made + self._seconds > self._now():
                return
            file.unlink(missing_ok=True)
            left -= size

    def _kept(self) -> Iterator[tuple[float, int, Path]]:
        for file in self._folder.glob("res_*"):
            with suppress(FileNotFoundError):
                told = file.stat()
                yield told.st_mtime, told.st_size, file


def _owner(caller: Caller) -> str:
    """Who may read it, and where: the same person through the same program."""
    who, program = caller.person, caller.workload
    told = [who.issuer, who.subject] if who else ["", ""]
    told += [program.spiffe_id if program else "", caller.environment]
    return hashlib.sha256(orjson.dumps(told)).hexdigest()
