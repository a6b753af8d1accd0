"""The script that makes a login which can do what the roles need, and nothing else, in the words of each engine.

Printed for an administrator to read and run; never run from here. Not here: judging the login there is (logins.py).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from pierhead.sdk.governed.catalog import StoredTable
from pierhead.sdk.governed.policy import Policy
from pierhead.sdk.governed.source import Ground
from pierhead.sdk.governed.views import rule_for
from pierhead.sdk.sqlguard import Dialect

_LOGIN: Final = "pierhead_reader"
_VERBS: Final[Mapping[str, str]] = {"create": "INSERT", "update": "UPDATE", "delete": "DELETE"}
_PASSWORD: Final = "CHANGE-ME"  # noqa: S105 - a place to write one


@dataclass(frozen=True, slots=True)
class Need:
    """What the roles of a source need of one table; `reads_all` where that is every column of it."""

    schema: str
    table: str
    columns: tuple[str, ...]
    reads_all: bool
    writes: tuple[str, ...]


def needs(ground: Ground, policy: Policy) -> tuple[Need, ...]:
    """What all roles of a policy together need, table by table in the order of the schema."""
    found = (_need(ground, policy, stored) for stored in ground.catalog.tables)
    return tuple(need for need in found if need.columns or need.writes)


def _need(ground: Ground, policy: Policy, stored: StoredTable) -> Need:
    read = {
        column
        for acting in ground.roles.values()
        for table in acting.selects.tables
        if (table.schema, table.name) == (stored.schema, stored.name)
        for column in table.columns_read
    }
    rules = (rule_for(role, stored, ground.catalog) for role in policy.roles.values())
    done = {operation for rule in rules if rule for operation in rule.operations}
    writes = tuple(verb for operation, verb in _VERBS.items() if operation in done) if stored.kind == "table" else ()
    columns = tuple(column.name for column in stored.columns if column.name in read or writes)
    return Need(stored.schema, stored.name, columns, len(columns) == len(stored.columns), writes)


def grant_script(ground: Ground, policy: Policy) -> str:
    """The script, ready to be read by an administrator."""
    write = _SCRIPTS[ground.catalog.dialect]
    lines = [*write(ground.catalog.catalog, needs(ground, policy)), *_of_functions(ground)]
    return "\n".join(lines) + "\n"


def _of_functions(ground: Ground) -> Iterator[str]:
    """The right to each function that some role was granted, where the engine knows such a right."""
    granted = {
        (function.permitted.schema, function.permitted.name): function.permitted
        for acting in ground.roles.values()
        for function in acting.functions.values()
    }
    for each in granted.values():
        if ground.catalog.dialect == "postgres":
            place = f"{_double(each.schema)}.{_double(each.name)}({', '.join(each.types)})"
            yield f"GRANT USAGE ON SCHEMA {_double(each.schema)} TO {_LOGIN};"
            yield f"GRANT EXECUTE ON FUNCTION {place} TO {_LOGIN};"
        elif ground.catalog.dialect == "mysql":
            yield f"GRANT EXECUTE ON FUNCTION {_backtick(each.schema)}.{_backtick(each.name)} TO '{_LOGIN}'@'%';"


def _double(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _backtick(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _bracket(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"


def _rights(need: Need, quoted: Callable[[str], str]) -> str:
    """What is granted, column by column where not every column is read."""
    columns = "" if need.reads_all else " (" + ", ".join(map(quoted, need.columns)) + ")"
    return ", ".join((f"SELECT{columns}", *need.writes))


def _schemas(wanted: tuple[Need, ...]) -> list[str]:
    return list(dict.fromkeys(need.schema for need in wanted))


def _postgres(database: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    yield "-- PostgreSQL: run as an administrator of this database; write a password first."
    yield f"CREATE ROLE {_LOGIN} LOGIN PASSWORD '{_PASSWORD}'"
    yield "  NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT;"
    if not any(need.writes for need in wanted):
        yield f"ALTER ROLE {_LOGIN} SET default_transaction_read_only = on;"
    yield f"ALTER ROLE {_LOGIN} SET statement_timeout = '61s';"
    yield f"GRANT CONNECT ON DATABASE {_double(database)} TO {_LOGIN};"
    for schema in _schemas(wanted):
        yield f"GRANT USAGE ON SCHEMA {_double(schema)} TO {_LOGIN};"
    for need in wanted:
        place = f"{_double(need.schema)}.{_double(need.table)}"
        yield f"GRANT {_rights(need, _double)} ON {place} TO {_LOGIN};"


def _mysql(_database: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    account = f"'{_LOGIN}'@'%'"
    yield "-- MySQL and MariaDB: run as an administrator; write a password, and the host it may come from."
    yield f"CREATE USER {account} IDENTIFIED BY '{_PASSWORD}';"
    for need in wanted:
        place = f"{_backtick(need.schema)}.{_backtick(need.table)}"
        yield f"GRANT {_rights(need, _backtick)} ON {place} TO {account};"


def _tsql(_database: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    yield "-- SQL Server: run as an administrator in this database; write a password first."
    yield f"CREATE LOGIN {_LOGIN} WITH PASSWORD = '{_PASSWORD}';"
    yield f"CREATE USER {_LOGIN} FOR LOGIN {_LOGIN};"
    for need in wanted:
        place = f"OBJECT::{_bracket(need.schema)}.{_bracket(need.table)}"
        yield f"GRANT {_rights(need, _bracket)} ON {place} TO {_LOGIN};"
    yield f"DENY VIEW DEFINITION TO {_LOGIN};"


def _oracle(_database: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    yield "-- Oracle: run as an administrator; write a password first. READ lets nobody lock rows, as SELECT would."
    yield f'CREATE USER {_LOGIN} IDENTIFIED BY "{_PASSWORD}";'
    yield f"GRANT CREATE SESSION TO {_LOGIN};"
    for need in wanted:
        if not need.reads_all:
            yield f"-- no grant of single columns: make a view of {', '.join(need.columns)} and grant that instead"
        rights = ", ".join(("READ", *need.writes))
        yield f"GRANT {rights} ON {_double(need.schema)}.{_double(need.table)} TO {_LOGIN};"


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
        if not need.reads_all:
            yield f"-- no grant of single columns: make a view of {', '.join(need.columns)} and grant that instead"
        yield f"GRANT {', '.join(('SELECT', *need.writes))} ON TABLE {place} TO ROLE {_LOGIN};"


def _trino(catalog: str, wanted: tuple[Need, ...]) -> Iterator[str]:
    yield "# Trino and Presto: rules for file-based access control (security.config-file)"
    tables = [
        {
            "user": _LOGIN,
            "catalog": catalog,
            "schema": need.schema,
            "table": need.table,
            "privileges": ["SELECT", *need.writes],
        }
        for need in wanted
    ]
    rules = {"catalogs": [{"user": _LOGIN, "catalog": catalog, "allow": "all"}], "tables": tables}
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
