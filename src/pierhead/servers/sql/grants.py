"""The script that makes a login which can do what the roles need, and nothing else, in the words of each engine.

Printed for an administrator to read and run; never run from here. Not here: judging the login there is (logins.py).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from pierhead.sdk.sqlguard import Dialect
from pierhead.servers.sql.source import Ground

_LOGIN: Final = "pierhead_reader"
_PASSWORD: Final = "CHANGE-ME"  # noqa: S105 - a place to write one


@dataclass(frozen=True, slots=True)
class Need:
    """What the roles of a source read of one table; `is_whole` where that is every column."""

    schema: str
    table: str
    columns: tuple[str, ...]
    is_whole: bool


def needs(ground: Ground) -> tuple[Need, ...]:
    """What all roles together need, table by table in the order of the schema."""
    found: list[Need] = []
    for stored in ground.catalog.tables:
        permitted = [
            table
            for acting in ground.roles.values()
            for table in acting.view.tables
            if (table.schema, table.name) == (stored.schema, stored.name)
        ]
        if permitted:
            names = {column.name for table in permitted for column in table.columns}
            columns = tuple(column.name for column in stored.columns if column.name in names)
            found.append(Need(stored.schema, stored.name, columns, len(columns) == len(stored.columns)))
    return tuple(found)


def grant_script(ground: Ground) -> str:
    """The script, ready to be read by an administrator."""
    write = _SCRIPTS[ground.catalog.dialect]
    return "\n".join(write(ground.catalog.catalog, needs(ground))) + "\n"


def _double(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _backtick(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _bracket(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"


def _columns(need: Need, quoted: Callable[[str], str]) -> str:
    return "" if need.is_whole else " (" + ", ".join(map(quoted, need.columns)) + ")"


def _schemas(wanted: tuple[Need, ...]) -> list[str]:
    return list(dict.fromkeys(need.schema for need in wanted))


def _postgres(database: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    yield "-- PostgreSQL: run as an administrator of this database; write a password first."
    yield f"CREATE ROLE {_LOGIN} LOGIN PASSWORD '{_PASSWORD}'"
    yield "  NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT;"
    yield f"ALTER ROLE {_LOGIN} SET default_transaction_read_only = on;"
    yield f"ALTER ROLE {_LOGIN} SET statement_timeout = '61s';"
    yield f"GRANT CONNECT ON DATABASE {_double(database)} TO {_LOGIN};"
    for schema in _schemas(wanted):
        yield f"GRANT USAGE ON SCHEMA {_double(schema)} TO {_LOGIN};"
    for need in wanted:
        place = f"{_double(need.schema)}.{_double(need.table)}"
        yield f"GRANT SELECT{_columns(need, _double)} ON {place} TO {_LOGIN};"


def _mysql(_database: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    account = f"'{_LOGIN}'@'%'"
    yield "-- MySQL and MariaDB: run as an administrator; write a password, and the host it may come from."
    yield f"CREATE USER {account} IDENTIFIED BY '{_PASSWORD}';"
    for need in wanted:
        place = f"{_backtick(need.schema)}.{_backtick(need.table)}"
        yield f"GRANT SELECT{_columns(need, _backtick)} ON {place} TO {account};"


def _tsql(_database: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    yield "-- SQL Server: run as an administrator in this database; write a password first."
    yield f"CREATE LOGIN {_LOGIN} WITH PASSWORD = '{_PASSWORD}';"
    yield f"CREATE USER {_LOGIN} FOR LOGIN {_LOGIN};"
    for need in wanted:
        place = f"OBJECT::{_bracket(need.schema)}.{_bracket(need.table)}"
        yield f"GRANT SELECT{_columns(need, _bracket)} ON {place} TO {_LOGIN};"
    yield f"DENY VIEW DEFINITION TO {_LOGIN};"


def _oracle(_database: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    yield "-- Oracle: run as an administrator; write a password first. READ lets nobody lock rows, as SELECT would."
    yield f'CREATE USER {_LOGIN} IDENTIFIED BY "{_PASSWORD}";'
    yield f"GRANT CREATE SESSION TO {_LOGIN};"
    for need in wanted:
        if not need.is_whole:
            yield f"-- no grant of single columns: make a view of {', '.join(need.columns)} and grant that instead"
        yield f"GRANT READ ON {_double(need.schema)}.{_double(need.table)} TO {_LOGIN};"


def _snowflake(database: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    yield "-- Snowflake: run as an administrator; write a password first, and name a small warehouse."
    yield f"CREATE ROLE {_LOGIN};"
    yield f"CREATE USER {_LOGIN} PASSWORD = '{_PASSWORD}' DEFAULT_ROLE = {_LOGIN} DEFAULT_SECONDARY_ROLES = ();"
    yield f"GRANT ROLE {_LOGIN} TO USER {_LOGIN};"
    yield f"GRANT USAGE ON DATABASE {_double(database)} TO ROLE {_LOGIN};"
    for schema in _schemas(wanted):
        yield f"GRANT USAGE ON SCHEMA {_double(database)}.{_double(schema)} TO ROLE {_LOGIN};"
    for need in wanted:
        place = f"{_double(database)}.{_double(need.schema)}.{_double(need.table)}"
        if not need.is_whole:
            yield f"-- no grant of single columns: make a view of {', '.join(need.columns)} and grant that instead"
        yield f"GRANT SELECT ON TABLE {place} TO ROLE {_LOGIN};"


def _trino(catalog: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    yield "# Trino and Presto: rules for file-based access control (security.config-file)"
    tables = [
        {"user": _LOGIN, "catalog": catalog, "schema": need.schema, "table": need.table, "privileges": ["SELECT"]}
        for need in wanted
    ]
    rules = {"catalogs": [{"user": _LOGIN, "catalog": catalog, "allow": "read-only"}], "tables": tables}
    yield orjson.dumps(rules, option=orjson.OPT_INDENT_2).decode()


def _file(_database: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    yield f"# This engine knows no users: its file is the border. Roles need {len(wanted)} tables of it."
    yield "# Run Pierhead under an account that can read the file and not write it (FILE is your database):"
    yield "useradd --system --no-create-home pierhead"
    yield "chgrp pierhead FILE && chmod 640 FILE"
    yield "# Strongest: a file for each role, that holds only what the role may see."


_SCRIPTS: Final[Mapping[Dialect, Callable[[str, tuple[Need, ...]], Iterator[str]]]] = {
    "postgres": _postgres,
    "mysql": _mysql,
    "tsql": _tsql,
    "oracle": _oracle,
    "snowflake": _snowflake,
    "trino": _trino,
    "sqlite": _file,
    "duckdb": _file,
}
