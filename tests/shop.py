"""The corpus's shop: its statements, and the analyst's view of it in every dialect."""

import json
from dataclasses import dataclass
from pathlib import Path

from pierhead.sdk.sqlguard import Column, Dialect, PermittedTable, View

CORPUS = Path(__file__).parent / "corpus"
CANARIES = ("tok-canary-3f9a61", "91827.36", "@canary.example", "acct-canary-5521", "root:x:0")

_TABLES = {
    "customers": "id name region created_at",
    "products": "id sku name price tags",
    "orders": "id customer_id product_id qty amount status ordered_at",
}
_PLACES: dict[Dialect, tuple[str, str]] = {
    "postgres": ("shop", "public"),
    "snowflake": ("SHOP", "PUBLIC"),
    "mysql": ("", "shop"),
    "oracle": ("", "SHOP"),
    "sqlite": ("", "main"),
    "duckdb": ("memory", "main"),
    "trino": ("hive", "sales"),
    "tsql": ("shop", "dbo"),
}
DIALECTS = tuple(_PLACES)


@dataclass(frozen=True)
class Entry:
    id: str
    dialect: Dialect
    sql: str
    expected: str
    why: str
    category: str
    layer: str


def entries(*dialects: str) -> list[Entry]:
    lines = (CORPUS / "sql_attacks.jsonl").read_text(encoding="utf-8").splitlines()
    every = [Entry(**json.loads(line)) for line in lines]
    return [entry for entry in every if not dialects or entry.dialect in dialects]


def analyst_view(dialect: Dialect) -> View:
    catalog, schema = _PLACES[dialect]
    tables = tuple(
        PermittedTable(
            schema,
            _stored(name, dialect),
            tuple(Column(_stored(column, dialect)) for column in columns.split()),
            "id" if dialect == "sqlite" else "",
        )
        for name, columns in _TABLES.items()
    )
    return View(dialect, catalog, schema, tables)


def _stored(name: str, dialect: Dialect) -> str:
    return name.upper() if dialect in ("oracle", "snowflake") else name
