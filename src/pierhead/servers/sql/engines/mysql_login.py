"""What the login of a MariaDB or MySQL source may do besides, read from its own grants. Changes nothing.

These servers know no owner of a table: whoever may alter or drop it counts as one. A revoked part of a wider
grant is not subtracted, so a report may warn too much, never too little.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pierhead.sdk.governed.engine import LoginReport
from pierhead.servers.sql.engines.mysql_session import Session

_GRANT: Final = re.compile(r"GRANT (?P<rights>.+?) ON (?:TABLE )?(?P<schema>\*|`[^`]+`)\.(?P<table>\*|`[^`]+`) TO ")
_COLUMNS: Final = re.compile(r"\([^)]*\)")
_TABLES: Final = (
    "SELECT table_schema, table_name FROM information_schema.tables"
    " WHERE table_schema = database() AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')"
)
_EVERYTHING: Final = "ALL PRIVILEGES"
_READS: Final = frozenset({_EVERYTHING, "SELECT"})
_WRITES: Final = frozenset({_EVERYTHING, "INSERT", "UPDATE", "DELETE", "DROP", "ALTER"})
_OWNS: Final = frozenset({_EVERYTHING, "DROP", "ALTER"})
_RULES: Final = frozenset(
    {_EVERYTHING, "SUPER", "CREATE USER", "SET USER", "SYSTEM_USER", "ROLE_ADMIN", "SYSTEM_VARIABLES_ADMIN"}
)


@dataclass(frozen=True, slots=True)
class _Grant:
    rights: frozenset[str]
    schema: str
    table: str

    def covers(self, schema: str, table: str) -> bool:
        return _matches(self.schema, schema) and self.table in ("*", table)

    @property
    def is_global(self) -> bool:
        return self.schema == "*"


def _matches(pattern: str, schema: str) -> bool:
    """A granted database may be a pattern: `%` any text, `_` any character, unless escaped."""
    if pattern == "*":
        return True
    signs = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern)
    return re.fullmatch("".join(signs.get(part) or re.escape(part[-1]) for part in parts), schema) is not None


def grants(lines: Iterable[str]) -> list[_Grant]:
    found = (_GRANT.match(line) for line in lines)
    return [
        _Grant(
            frozenset(right.strip().upper() for right in _COLUMNS.sub("", grant["rights"]).split(",")),
            grant["schema"].strip("`"),
            grant["table"].strip("`"),
        )
        for grant in found
        if grant
    ]


async def login_report(session: Session) -> LoginReport:
    name = str((await session.rows("SELECT current_user()"))[0][0])
    held = grants(str(row[0]) for row in await session.rows("SHOW GRANTS"))
    tables = [(str(row[0]), str(row[1])) for row in await session.rows(_TABLES)]
    anywhere = [grant for grant in held if grant.is_global]
    return LoginReport(
        name,
        readable=_holding(held, _READS, tables),
        writable=_holding(held, _WRITES, tables),
        owned=_holding(held, _OWNS, tables),
        is_superuser=any(grant.rights & _RULES for grant in anywhere)
        or any(grant.covers("mysql", "*") and grant.rights & _WRITES for grant in held),
        reaches_files=any(grant.rights & {_EVERYTHING, "FILE"} for grant in anywhere),
    )


def _holding(
    held: Sequence[_Grant], rights: frozenset[str], tables: Iterable[tuple[str, str]]
) -> frozenset[tuple[str, str]]:
    return frozenset(table for table in tables if any(grant.rights & rights and grant.covers(*table) for grant in held))
