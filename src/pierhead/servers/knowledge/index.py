"""What was read, in one SQLite file: documents, their sections, and two indexes of words.

One index knows words in their forms ("fail" finds "failed"), the other pieces of names (`etl` finds `ads_etl_v2`);
what either finds is put in one order by reciprocal rank fusion (Cormack, Clarke, Buettcher: SIGIR 2009, k = 60).
Calls block: whoever is asynchronous uses a thread. Not here: who may read what (given as names of sources).
"""

import json
import re
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from pierhead.servers.knowledge.documents import Document
from pierhead.servers.knowledge.files import Edit, Found

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, source TEXT NOT NULL, path TEXT NOT NULL, title TEXT NOT NULL, modified REAL NOT NULL,
    size INTEGER NOT NULL, edited REAL NOT NULL, edited_by TEXT NOT NULL, version TEXT NOT NULL, facts TEXT NOT NULL,
    fault TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS documents_by_source ON documents (source);
CREATE TABLE IF NOT EXISTS sections (
    number INTEGER PRIMARY KEY, document TEXT NOT NULL, place TEXT NOT NULL, heading TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sections_by_document ON sections (document);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    heading, body, source UNINDEXED, tokenize = "porter unicode61 remove_diacritics 2");
CREATE VIRTUAL TABLE IF NOT EXISTS pieces USING fts5 (heading, body, source UNINDEXED, tokenize = "trigram");
CREATE TABLE IF NOT EXISTS refreshes (source TEXT PRIMARY KEY, at REAL NOT NULL, fault TEXT NOT NULL);
"""
_NOW: Final = "SELECT CAST(strftime('%s', 'now') AS REAL)"
_REFRESHED: Final = "INSERT OR REPLACE INTO refreshes VALUES (?, CAST(strftime('%s', 'now') AS REAL), ?)"
_KEEP: Final = "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_EDITED: Final = """SELECT * FROM documents
    WHERE source IN (SELECT value FROM json_each(?)) AND edited >= ? AND fault = '' ORDER BY edited DESC"""
_OF_OTHERS: Final = "SELECT source, path FROM documents WHERE source NOT IN (SELECT value FROM json_each(?))"
_RANKED: Final = 100
_K: Final = 60
_WORD: Final = re.compile(r"\w+")
_MOST_WORDS: Final = 16
_SHORTEST_PIECE: Final = 3
_FIND: Final = """SELECT rowid AS number, snippet(words, 1, '', '', '…', 48) AS excerpt FROM words
    WHERE words MATCH ? AND source IN (SELECT value FROM json_each(?)) ORDER BY bm25(words, 4.0, 1.0) LIMIT ?"""
_FIND_PIECES: Final = """SELECT rowid AS number FROM pieces
    WHERE pieces MATCH ? AND source IN (SELECT value FROM json_each(?)) ORDER BY bm25(pieces, 4.0, 1.0) LIMIT ?"""
_BY_NUMBER: Final = """SELECT documents.*, place, sections.heading, substr(body, 1, 300) AS begin FROM sections
    JOIN documents ON documents.id = document JOIN words ON words.rowid = number WHERE number = ?"""
_OF_DOCUMENT: Final = """SELECT place, sections.heading, body FROM sections JOIN words ON words.rowid = number
    WHERE document = ? ORDER BY number"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A document of the index. Times are Unix seconds."""

    id: str
    source: str
    path: str
    title: str
    edited: float
    edited_by: str
    version: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that fits, and a part of its text around the words."""

    document: Kept
    place: str
    heading: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How fresh a source's index is. `refreshed` is None until it was read once."""

    documents: int
    newest: float | None
    refreshed: float | None
    fault: str
    unread: Sequence[tuple[str, str]]
    """Files that could not be read, and why; at most twenty."""


class Index:
    """Errors: none of its own; a file that is no database raises `sqlite3.DatabaseError` when it is opened."""

    def __init__(self, file: Path | None) -> None:
        self._database = sqlite3.connect(file or ":memory:", check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.executescript(_SCHEMA)
        self._turn = Lock()

    def close(self) -> None:
        with self._turn:
            self._database.close()

    def known(self, source: str) -> dict[str, tuple[float, int]]:
        """Path to modification time and size, of each file that was looked at."""
        with self._turn:
            found = self._database.execute("SELECT path, modified, size FROM documents WHERE source = ?", (source,))
            return {row["path"]: (row["modified"], row["size"]) for row in found}

    def keep(self, source: str, found: Found, document: Document | str, edit: Edit | None) -> None:
        """Put a file in the place of what was known of it; a text in place of a document is why it is unread."""
        unread = isinstance(document, str)
        kept = (
            f"{source}/{found.path}",
            source,
            found.path,
            found.path if unread else document.title,
            found.modified,
            found.size,
            edit.at if edit else found.modified,
            edit.by if edit else "",
            edit.commit if edit else "",
            json.dumps({} if unread else dict(document.facts)),
            document if unread else "",
        )
        with self._turn, self._database:
            self._database.execute("BEGIN")
            self._forget(f"{source}/{found.path}")
            self._database.execute(_KEEP, kept)
            for section in () if unread else document.sections:
                title = section.title or document.title
                made = self._database.execute(
                    "INSERT INTO sections (document, place, heading) VALUES (?, ?, ?)", (kept[0], section.place, title)
                )
                words = (made.lastrowid, title, section.text, source)
                self._database.execute("INSERT INTO words (rowid, heading, body, source) VALUES (?, ?, ?, ?)", words)
                pieces = (made.lastrowid, f"{found.path} {title}", section.text, source)
                self._database.execute("INSERT INTO pieces (rowid, heading, body, source) VALUES (?, ?, ?, ?)", pieces)

    def forget(self, source: str, path: str) -> None:
        with self._turn, self._database:
            self._database.execute("BEGIN")
            self._forget(f"{source}/{path}")

    def only(self, sources: Collection[str]) -> None:
        """Forget every source but these: what is no longer declared is no longer found."""
        with self._turn:
            stored = self._database.execute(_OF_OTHERS, (json.dumps([*sources]),)).fetchall()
        for row in stored:
            self.forget(row["source"], row["path"])

    def refreshed(self, source: str, fault: str) -> None:
        with self._turn:
            self._database.execute(_REFRESHED, (source, fault))

    def find(self, query: str, sources: Collection[str], limit: int) -> list[Hit]:
        """The sections of these sources that fit best, at most one a document and `limit`; the best first."""
        words = _WORD.findall(query)[:_MOST_WORDS]
        if not words or not sources:
            return []
        with self._turn:
            by_words = self._rows(_FIND, _any_of(words), sources)
            long = [word for word in words if len(word) >= _SHORTEST_PIECE]
            by_pieces = self._rows(_FIND_PIECES, _any_of(long), sources) if long else []
            excerpts = {row["number"]: row["excerpt"] for row in by_words}
            hits: dict[str, Hit] = {}
            for number in _fused(list(excerpts), [row["number"] for row in by_pieces]):
                row = self._database.execute(_BY_NUMBER, (number,)).fetchone()
                excerpt = excerpts.get(number) or row["begin"]
                hits.setdefault(row["id"], Hit(_kept(row), row["place"], row["heading"], excerpt))
                if len(hits) == limit:
                    break
        return list(hits.values())

    def document(self, document: str, sources: Collection[str]) -> tuple[Kept, list[tuple[str, str, str]]] | None:
        """A document of these sources, and its sections: place, heading, text. Nothing for any other."""
        with self._turn:
            row = self._database.execute("SELECT * FROM documents WHERE id = ? AND fault = ''", (document,)).fetchone()
            if row is None or row["source"] not in sources:
                return None
            parts = self._database.execute(_OF_DOCUMENT, (document,))
            return _kept(row), [(part["place"], part["heading"], part["body"]) for part in parts]

    def all_of(self, sources: Collection[str], since: float) -> list[Kept]:
        """Every document of these sources that was edited since, newest first."""
        with self._turn:
            return [_kept(row) for row in self._database.execute(_EDITED, (json.dumps([*sources]), since))]

    def standing(self, source: str) -> Standing:
        with self._turn:
            count, newest = self._database.execute(
                "SELECT count(*), max(edited) FROM documents WHERE source = ? AND fault = ''", (source,)
            ).fetchone()
            refresh = self._database.execute("SELECT at, fault FROM refreshes WHERE source = ?", (source,)).fetchone()
            unread = self._database.execute(
                "SELECT path, fault FROM documents WHERE source = ? AND fault <> '' ORDER BY path LIMIT 20", (source,)
            )
            told = [(row["path"], row["fault"]) for row in unread]
        return Standing(count, newest, refresh and refresh["at"], refresh["fault"] if refresh else "", told)

    def now(self) -> float:
        """The time of the file that keeps the times, in Unix seconds."""
        with self._turn:
            return float(self._database.execute(_NOW).fetchone()[0])

    def _rows(self, statement: str, match: str, sources: Collection[str]) -> list[sqlite3.Row]:
        with closing(self._database.execute(statement, (match, json.dumps([*sources]), _RANKED))) as found:
            return found.fetchall()

    def _forget(self, document: str) -> None:
        numbers = self._database.execute("SELECT number FROM sections WHERE document = ?", (document,)).fetchall()
        self._database.executemany("DELETE FROM words WHERE rowid = ?", numbers)
        self._database.executemany("DELETE FROM pieces WHERE rowid = ?", numbers)
        self._database.execute("DELETE FROM sections WHERE document = ?", (document,))
        self._database.execute("DELETE FROM documents WHERE id = ?", (document,))


def _any_of(words: Sequence[str]) -> str:
    """Any of the words, each quoted: nothing that the caller wrote is an operator."""
    return " OR ".join(f'"{word}"' for word in words)


def _fused(*rankings: Sequence[int]) -> list[int]:
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, number in enumerate(ranking):
            scores[number] = scores.get(number, 0.0) + 1 / (_K + rank + 1)
    return sorted(scores, key=lambda number: (-scores[number], number))


def _kept(row: sqlite3.Row) -> Kept:
    facts: dict[str, str] = json.loads(row["facts"])
    return Kept(
        row["id"], row["source"], row["path"], row["title"], row["edited"], row["edited_by"], row["version"], facts
    )
