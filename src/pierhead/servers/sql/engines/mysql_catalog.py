"""The schema of one MariaDB or MySQL database, from its information schema. Asks; judges nothing."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pierhead.sdk.governed.catalog import Catalog, ForeignKey, StoredColumn, StoredTable
from pierhead.servers.sql.engines.mysql_functions import stored_functions
from pierhead.servers.sql.engines.mysql_session import Session

_TABLES: Final = """
SELECT table_name, table_type, table_rows, table_comment FROM information_schema.tables
WHERE table_schema = database() AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW') ORDER BY table_name
"""
_COLUMNS: Final = """
SELECT table_name, column_name, column_type, is_nullable, column_comment,
       coalesce(column_default, 'NULL') <> 'NULL' OR extra LIKE '%auto_increment%',
       coalesce(generation_expression, '') <> '', extra LIKE '%auto_increment%'
FROM information_schema.columns WHERE table_schema = database() ORDER BY table_name, ordinal_position
"""
# Every unique index is a key here; one over a prefix of a column is not.
_KEYS: Final = """
SELECT table_name, index_name, column_name, sub_part FROM information_schema.statistics
WHERE table_schema = database() AND non_unique = 0 ORDER BY table_name, index_name, seq_in_index
"""
_FOREIGN_KEYS: Final = """
SELECT table_name, constraint_name, column_name, referenced_table_schema, referenced_table_name,
       referenced_column_name
FROM information_schema.key_column_usage
WHERE table_schema = database() AND referenced_table_name IS NOT NULL
ORDER BY table_name, constraint_name, ordinal_position
"""
_VIEWS: Final = "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = database()"
_EVERY_TABLE: Final = "SELECT lower(table_schema), lower(table_name) FROM information_schema.tables"

_QUOTED: Final = r"`(?:[^`]|``)*`"
_WORDS: Final = re.compile(rf"'(?:[^'\\]|\\.|'')*'|(?P<name>{_QUOTED}(?:\.{_QUOTED})*)(?P<call>\()?", re.DOTALL)
_PART: Final = re.compile(_QUOTED)
_PARTS_OF_A_TABLE: Final = 2

Row = Sequence[Any]  # what the driver gives: its columns differ by query


@dataclass(frozen=True, slots=True)
class Named:
    """A name as the server writes it back: its parts, and whether it is called."""

    parts: tuple[str, ...]
    is_called: bool


def names_in(text: str) -> Iterator[Named]:
    """The quoted names in a statement that the server itself has written; strings are passed over."""
    for found in _WORDS.finditer(text):
        if found["name"]:
            parts = tuple(part[1:-1].replace("``", "`").lower() for part in _PART.findall(found["name"]))
            yield Named(parts, is_called=found["call"] is not None)


@dataclass(frozen=True, slots=True)
class Described:
    """What was found: the catalog, the definition of each view, and every table of the server that can be seen."""

    catalog: Catalog
    views: Mapping[str, str]
    everything: frozenset[tuple[str, str]]


async def described(session: Session) -> Described:
    database = str((await session.rows("SELECT database()"))[0][0])
    tables: Sequence[Row] = await session.rows(_TABLES)
    columns = _grouped(await session.rows(_COLUMNS))
    keys = _grouped(await session.rows(_KEYS))
    foreign = _grouped(await session.rows(_FOREIGN_KEYS))
    views = {str(name): str(text or "") for name, text in await session.rows(_VIEWS)}
    everything = frozenset((str(schema), str(name)) for schema, name in await session.rows(_EVERY_TABLE))
    reads = _reads(database, views, everything)
    stored = tuple(
        _table(database, row, columns[row[0]], (keys[row[0]], foreign[row[0]]), reads.get(row[0], frozenset()))
        for row in tables
    )
    functions = await stored_functions(session, database)
    return Described(Catalog("mysql", "", database, stored, functions), views, everything)


def _grouped(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row[0]].append(row[1:])
    return grouped


def _table(
    database: str, row: Row, columns: list[Row], keys: tuple[list[Row], list[Row]], reads: frozenset[tuple[str, str]]
) -> StoredTable:
    name, kind, count, comment = row
    primary, unique = _unique_keys(keys[0])
    own = tuple(
        StoredColumn(
            column,
            str(type_),
            is_nullable == "YES",
            column in primary,
            note or "",
            has_default=bool(has_default),
            is_generated=bool(is_generated),
            is_numbered=bool(is_numbered),
        )
        for column, type_, is_nullable, note, has_default, is_generated, is_numbered in columns
    )
    return StoredTable(
        database,
        name,
        "view" if kind == "VIEW" else "table",
        own,
        "" if kind == "VIEW" else comment or "",  # of a view the server says VIEW there
        None if count is None else int(count),
        reads=reads,
        primary_key=primary,
        unique=unique,
        foreign_keys=_foreign_keys(keys[1]),
    )


def _unique_keys(rows: list[Row]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    keys: dict[str, list[Row]] = defaultdict(list)
    for index, column, prefix in rows:
        keys[index].append((column, prefix))
    whole = {
        index: tuple(str(column) for column, _ in parts)
        for index, parts in keys.items()
        if all(column is not None and prefix is None for column, prefix in parts)
    }
    primary = whole.pop("PRIMARY", ())
    return primary, tuple(whole.values())


def _foreign_keys(rows: list[Row]) -> tuple[ForeignKey, ...]:
    keys: dict[str, list[Row]] = defaultdict(list)
    for name, *rest in rows:
        keys[name].append(rest)
    return tuple(
        ForeignKey(
            name,
            tuple(part[0] for part in parts),
            parts[0][1],
            parts[0][2],
            tuple(part[3] for part in parts),
        )
        for name, parts in keys.items()
    )


def _reads(
    database: str, views: Mapping[str, str], everything: frozenset[tuple[str, str]]
) -> dict[str, frozenset[tuple[str, str]]]:
    """The tables each view leads to, through other views too, in lower case."""
    direct = {
        (database.lower(), name.lower()): {
            (each.parts[0], each.parts[1])
            for each in names_in(text)
            if len(each.parts) >= _PARTS_OF_A_TABLE and each.parts[:2] in everything
        }
        for name, text in views.items()
    }
    return {name: frozenset(_reached((database.lower(), name.lower()), direct)) for name in views}


def _reached(start: tuple[str, str], direct: Mapping[tuple[str, str], set[tuple[str, str]]]) -> set[tuple[str, str]]:
    reached: set[tuple[str, str]] = set()
    pending = [start]
    while pending:
        for table in direct.get(pending.pop(), set()) - reached:
            reached.add(table)
            pending.append(table)
    return reached
