"""Analyses of past failures, as drafts and published, in a database file of the server's own.

Found again by fingerprint or by words. Below: `root_cause`, which says what one is. Not here: who may write or publish
one; the tool's declaration says that.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Literal, cast

import orjson

from pierhead.core.errors import Conflict, NotFound
from pierhead.core.identity import Caller
from pierhead.sdk.redacting import redact_value
from pierhead.sdk.root_cause import RootCause

State = Literal["draft", "published"]

_DIGITS: Final = 16
_MOST_WORDS: Final = 8
_MOST_READ: Final = 2_000
_TABLE: Final = """CREATE TABLE IF NOT EXISTS analyses (
    id TEXT PRIMARY KEY, subject TEXT NOT NULL, author TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL,
    recorded REAL NOT NULL, published_by TEXT NOT NULL, record TEXT NOT NULL)"""
_KEEP: Final = """INSERT INTO analyses VALUES (?, ?, ?, ?, 'draft', CAST(strftime('%s', 'now') AS REAL), '', ?)
    ON CONFLICT (id) DO NOTHING"""
_READ: Final = "SELECT * FROM analyses WHERE id = ?"
_PUBLISH: Final = "UPDATE analyses SET state = 'published', published_by = ? WHERE id = ? AND state = 'draft'"
_NEWEST: Final = "SELECT * FROM analyses ORDER BY state DESC, recorded DESC, rowid DESC LIMIT ?"


@dataclass(frozen=True, slots=True)
class Analysis:
    """One record as it is kept. `subject` is what it is about: an application, a run. `recorded` is Unix seconds."""

    id: str
    subject: str
    author: str
    state: State
    recorded: float
    published_by: str
    record: RootCause


class Analyses:
    """Of one server. Without a folder they are kept in memory alone."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        where = ":memory:" if folder is None else str(folder / "analyses.db")
        self._turn = Lock()
        self._database = sqlite3.connect(where, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.execute(_TABLE)
        if folder is not None:
            (folder / "analyses.db").chmod(0o600)

    async def draft(self, subject: str, record: RootCause, idempotency_key: str, caller: Caller) -> Analysis:
        """Keep a record as a draft of its caller, without secrets. The same key gives the same record, once.

        Errors: Conflict (`key-reused`), for a key that the caller gave for another record.
        """
        return await asyncio.to_thread(self._draft, subject, record, idempotency_key, caller.name)

    async def publish(self, analysis: str, caller: Caller) -> Analysis:
        """Publish a draft; one that is published stays as it is. Errors: NotFound (`no-such-analysis`)."""
        return await asyncio.to_thread(self._publish, analysis, caller.name)

    async def read(self, analysis: str) -> Analysis:
        """Errors: NotFound (`no-such-analysis`)."""
        return await asyncio.to_thread(self._read, analysis)

    async def search(self, query: str = "", fingerprint: str = "", limit: int = 5) -> list[Analysis]:
        """Those of a fingerprint, or those in which most of the words stand; published ones and newer ones first."""
        return await asyncio.to_thread(self._search, query, fingerprint, limit)

    def close(self) -> None:
        with self._turn:
            self._database.close()

    def _draft(self, subject: str, record: RootCause, key: str, author: str) -> Analysis:
        plain = orjson.dumps(
            redact_value(record.model_dump(mode="json", by_alias=True)), option=orjson.OPT_SORT_KEYS
        ).decode()
        digest = _digest(subject, plain)
        name = f"ana_{_digest(author, key)[:_DIGITS]}"
        with self._turn:
            self._database.execute(_KEEP, (name, subject, author, digest, plain))
            row = self._row(name)
        if row["digest"] != digest:
            message = "this idempotency key was given another record"
            raise Conflict(message, hint="take a new key", code="key-reused")
        return _read_row(row)

    def _publish(self, analysis: str, person: str) -> Analysis:
        with self._turn:
            self._database.execute(_PUBLISH, (person, analysis))
            return _read_row(self._row(analysis))

    def _read(self, analysis: str) -> Analysis:
        with self._turn:
            return _read_row(self._row(analysis))

    def _search(self, query: str, fingerprint: str, limit: int) -> list[Analysis]:
        with self._turn, closing(self._database.execute(_NEWEST, (_MOST_READ,))) as found:
            rows = cast("list[sqlite3.Row]", found.fetchall())
        if fingerprint:
            kept = [_read_row(row) for row in rows if f'"{fingerprint}"' in row["record"]]
            return [each for each in kept if fingerprint in each.record.fingerprints][:limit]
        words = query.casefold().split()[:_MOST_WORDS]
        scored = [(_score(row, words), row) for row in rows]
        fitting = sorted((each for each in scored if each[0] or not words), key=lambda each: -each[0])
        return [_read_row(row) for _, row in fitting[:limit]]

    def _row(self, analysis: str) -> sqlite3.Row:
        row = self._database.execute(_READ, (analysis,)).fetchone()
        if row is None:
            raise NotFound(f"there is no analysis {analysis!r}", hint="search for it", code="no-such-analysis")
        return cast("sqlite3.Row", row)


def _score(row: sqlite3.Row, words: Sequence[str]) -> int:
    """How many of the words stand in it, if at least half do."""
    text = f"{row['subject']} {row['record']}".casefold()
    hits = sum(word in text for word in words)
    return hits if 2 * hits >= len(words) else 0


def _read_row(row: sqlite3.Row) -> Analysis:
    return Analysis(
        id=row["id"],
        subject=row["subject"],
        author=row["author"],
        state=row["state"],
        recorded=row["recorded"],
        published_by=row["published_by"],
        record=RootCause.model_validate_json(row["record"]),
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
