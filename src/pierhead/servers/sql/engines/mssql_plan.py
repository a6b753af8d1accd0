"""What SQL Server says it would do: its SHOWPLAN_XML, read for statements, tables and estimates. Nothing runs here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_ELEMENT: Final = re.compile(r"<(?P<name>[A-Za-z]+)\s(?P<attributes>[^<>]*)>")
_ATTRIBUTE: Final = re.compile(r'(\w+)="([^"]*)"')
_READS: Final = frozenset({"SELECT", "SELECT WITHOUT QUERY"})  # the second reads no table
_CALLS: Final = frozenset({"UserDefinedFunction", "StoredProc", "UDF"})
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
_MARK: Final = re.compile(r"""(?P<kept>'(?:[^']|'')*'|\[(?:[^\]]|\]\])*\]|"[^"]*")|\?""")


@dataclass(frozen=True, slots=True)
class Plan:
    """`is_one_read`: one statement, a SELECT. `tables` as database, schema, table, in lower case, without brackets."""

    is_one_read: bool
    tables: frozenset[tuple[str, str, str]]
    calls_code: bool
    rows: float | None
    cost: float | None


def without_marks(sql: str) -> str:
    """The statement with NULL for every value: a plan is asked for as plain text, which has no places for values."""
    return _MARK.sub(lambda found: found["kept"] or "NULL", sql)


def read_plan(document: str) -> Plan:
    """Shapes: the XML of SET SHOWPLAN_XML ON, https://schemas.microsoft.com/sqlserver/2004/07/showplan."""
    elements = [(found["name"], _attributes(found["attributes"])) for found in _ELEMENT.finditer(document)]
    statements = [each for name, each in elements if name.startswith("Stmt") and "StatementType" in each]
    tables = frozenset(
        (_bare(each.get("Database", "")), _bare(each.get("Schema", "")), _bare(each["Table"]))
        for name, each in elements
        if name == "Object" and "Table" in each
    )
    first: Mapping[str, str] = statements[0] if statements else {}
    return Plan(
        len(statements) == 1 and first["StatementType"] in _READS,
        tables,
        any(name in _CALLS for name, _ in elements),
        _number(first.get("StatementEstRows")),
        _number(first.get("StatementSubTreeCost")),
    )


def _attributes(text: str) -> Mapping[str, str]:
    return {name: _text(value) for name, value in _ATTRIBUTE.findall(text)}


def _text(value: str) -> str:
    for entity, sign in _ENTITIES:
        value = value.replace(entity, sign)
    return value


def _bare(name: str) -> str:
    return name.removeprefix("[").removesuffix("]").replace("]]", "]").lower()


def _number(text: str | None) -> float | None:
    return float(text) if text else None
