"""Idempotency keys: a key is begun on disk before the effect, and its answer is kept for a day.

    begun    -> this process is at it: the same key waits for nobody and is refused (`key-in-progress`)
    finished -> the same body gets the first answer, another body is refused (`key-reused`)
    lost     -> the change may have been made, nobody knows: `outcome-unknown`, and never run again

A key that was begun by a process that is gone is lost. What was undone for certain is forgotten, so that it may be
tried again. Keys belong to a caller: another's key is another key. Not here: when to ask (write_lane.py).
"""

import asyncio
import hashlib
import secrets
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

from pierhead.sdk import Conflict, ToolFailed

KEPT_SECONDS: Final = 24 * 60 * 60
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS written_keys (key TEXT PRIMARY KEY, body TEXT NOT NULL, run TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('begun', 'finished', 'lost')), answer BLOB, begun INTEGER NOT NULL)"
    " WITHOUT ROWID, STRICT"
)
# The file's own clock: every writer of it reads the same one.
_BEGIN: Final = (
    "INSERT INTO written_keys (key, body, run, state, begun) VALUES (?, ?, ?, 'begun', unixepoch())"
    " ON CONFLICT (key) DO NOTHING"
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key as one caller means it: of that source and that caller. `body` is the digest of what is asked."""

    source: str
    caller: str
    key: str
    body: str

    @property
    def place(self) -> str:
        return hashlib.sha256(f"{self.source}\0{self.caller}\0{self.key}".encode("utf-8", "replace")).hexdigest()


class Keys(Protocol):
    """Where keys are kept."""

    async def begin(self, own: OwnKey) -> bytes | None:
        """Take the key, durably; or the answer it got before.

        Errors: Conflict (`key-reused`, `key-in-progress`, `outcome-unknown`); ToolFailed, and the key is not taken.
        """
        ...

    async def finish(self, own: OwnKey, answer: bytes) -> None: ...

    async def forget(self, own: OwnKey) -> None:
        """Nothing was changed: the key is free again."""
        ...

    async def lose(self, own: OwnKey) -> None:
        """Nobody knows whether something was changed."""
        ...

    async def close(self) -> None: ...


class FileKeys:
    """In a SQLite file, or, where there is no place for one, in memory and only for this process's life."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._run = secrets.token_hex(8)
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="written-keys")

    async def begin(self, own: OwnKey) -> bytes | None:
        return await self._in_thread(lambda connection: self._begin(connection, own))

    async def finish(self, own: OwnKey, answer: bytes) -> None:
        await self._set(own, "finished", answer)

    async def forget(self, own: OwnKey) -> None:
        await self._in_thread(
            lambda connection: connection.execute(
                "DELETE FROM written_keys WHERE key = ? AND state = 'begun'", (own.place,)
            ).close()
        )

    async def lose(self, own: OwnKey) -> None:
        await self._set(own, "lost", None)

    async def close(self) -> None:
        def shut() -> None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

        await asyncio.get_running_loop().run_in_executor(self._thread, shut)
        self._thread.shutdown(wait=True)

    async def _set(self, own: OwnKey, state: str, answer: bytes | None) -> None:
        await self._in_thread(
            lambda connection: connection.execute(
                "UPDATE written_keys SET state = ?, answer = ? WHERE key = ?", (state, answer, own.place)
            ).close()
        )

    async def _in_thread(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        def run() -> Result:
            try:
                return work(self._opened())
            except sqlite3.Error:
                raise ToolFailed(
                    "idempotency keys cannot be kept", hint="tell the owner of this source", code="keys-unavailable"
                ) from None

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            if self.file is not None:
                self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            opened = sqlite3.connect(self.file or ":memory:", isolation_level=None, check_same_thread=False)
            opened.execute("PRAGMA journal_mode = WAL").close()
            opened.execute("PRAGMA synchronous = FULL").close()
            opened.execute(_SCHEMA).close()
            self._connection = opened
        return self._connection

    def _begin(self, connection: sqlite3.Connection, own: OwnKey) -> bytes | None:
        connection.execute("DELETE FROM written_keys WHERE begun <= unixepoch() - ?", (KEPT_SECONDS,)).close()
        if connection.execute(_BEGIN, (own.place, own.body, self._run)).rowcount == 1:
            return None
        body, run, state, answer = connection.execute(
            "SELECT body, run, state, answer FROM written_keys WHERE key = ?", (own.place,)
        ).fetchone()
        if body != own.body:
            raise _reused()
        if state == "finished":
            return bytes(answer)
        raise _in_progress() if state == "begun" and run == self._run else _unknown()


def _reused() -> Conflict:
    return Conflict(
        "this idempotency key was used for another body, or under another policy",
        hint="take a new key for a new change",
        code="key-reused",
    )


def _in_progress() -> Conflict:
    return Conflict("a call with this idempotency key is under way", hint="wait for its answer", code="key-in-progress")


def _unknown() -> Conflict:
    return Conflict(
        "a call with this idempotency key was cut off; whether it changed anything is not known",
        hint="read the rows; if the change is missing, write it with a new key",
        code="outcome-unknown",
    )
