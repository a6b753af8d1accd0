"""Answers that were cut: the whole of one is kept for a while for whoever got it, and read back piece by piece.

Pages of it are as bounded as the first. Not here: the store (`sdk/result_store`), logs, which have cursors.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import orjson
from pydantic import BaseModel

from pierhead.sdk import Caller
from pierhead.sdk.envelope import Envelope, Full, Limits, Page
from pierhead.sdk.redacting import redact_value
from pierhead.sdk.result_store import ResultStore
from pierhead.servers.spark.answers import Piece
from pierhead.servers.spark.diagnosis import moment

Data = TypeVar("Data")

_MOST_ANSWERED: Final = 32_000
_NEXT: Final = "spark_read_result with limits.full.handle"


class ResultsDesk:
    """Over one store, which it opens. Units: `now` gives Unix seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._store: ResultStore | None = None

    def open(self, folder: Path | None) -> None:
        """Keep results below `folder`; in a temporary one without it."""
        self._store = ResultStore(folder / "results" if folder is not None else None, now=self.now)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    async def cut(
        self, answer: Envelope[Data], caller: Caller, items: Sequence[object], shown: int, why: Literal["rows", "bytes"]
    ) -> Envelope[Data]:
        """The answer, which shows so many of the items (rows, or characters of lines), with a handle for the rest."""
        plain = [each.model_dump(mode="json") if isinstance(each, BaseModel) else each for each in items]
        seen = len(plain) if why == "rows" else sum(len(str(each)) + 1 for each in plain) - 1
        page = {"page": Page(returned=min(shown, seen))} if why == "rows" else {}
        if shown >= seen:
            return answer.model_copy(update=page)
        kept = await asyncio.to_thread(self.store.put, caller, None, redact_value(plain))
        full = Full(handle=kept.handle, bytes=kept.bytes, expires_at=moment(kept.expires_at)) if kept else None
        return answer.model_copy(update={**page, "limits": Limits(why=why, seen=seen, next=_NEXT, full=full)})

    async def read(self, caller: Caller, handle: str, offset: int, limit: int, contains: str) -> Envelope[Piece]:
        """Errors: NotFound (`no-such-result`), alike for one that is unknown, expired or another's."""
        kept = await asyncio.to_thread(self.store.read, caller, handle, offset=offset, limit=limit, contains=contains)
        items = _fitting(kept.items)
        end = offset + len(items)
        following = end if end < kept.total else None
        return Envelope(
            summary=f"{offset} to {end} of {kept.total}",
            data=Piece(items=items, offset=offset, next_offset=following, total=kept.total),
            page=Page(returned=len(items)),
            limits=Limits(why="rows", seen=kept.total, next=f"offset={end}") if following is not None else None,
        )

    @property
    def store(self) -> ResultStore:
        if self._store is None:
            raise RuntimeError("the desk is not open")
        return self._store


def _fitting(items: Sequence[Any]) -> list[Any]:
    """As many as one answer has room for, the first in any case."""
    fitting, room = list[Any](), _MOST_ANSWERED
    for item in items:
        room -= len(orjson.dumps(item)) + 1
        if room < 0 and fitting:
            break
        fitting.append(item)
    return fitting
