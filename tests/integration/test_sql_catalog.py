"""What engines report of keys, references, defaults and generated columns: the same on each, and fast."""

import sqlite3
from pathlib import Path

import duckdb
import pytest
from tests.integration.related_shops import load
from tests.integration.sql_shops import DuckdbShop, PostgresShop, Shop, SqliteShop

from pierhead.sdk.governed.catalog import Catalog

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

ENGINES = ("sqlite", "duckdb", "postgres")
MANY = 250
EXTRAS = (
    "CREATE TABLE made (a integer PRIMARY KEY, b integer DEFAULT 5, c integer GENERATED ALWAYS AS (a + 1) {stored},"
    " d integer NOT NULL, UNIQUE (d, b))"
)


def place(request: pytest.FixtureRequest, engine: str, folder: Path) -> str | Path:
    return request.getfixturevalue("postgres_url") if engine == "postgres" else folder


async def catalog_of(shop: Shop) -> Catalog:
    engine = shop.engine()
    try:
        return await engine.introspect()
    finally:
        await engine.close()


@pytest.mark.parametrize("engine", ENGINES)
async def test_keys_and_references_are_reported(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    catalog = await catalog_of(load(engine, place(request, engine, tmp_path)))
    tables = {table.name: table for table in catalog.tables}
    assert tables["lines"].primary_key == ("number", "region", "place")
    assert tables["orders"].primary_key == ("region", "number")
    assert tables["notes"].primary_key == ()
    assert tables["labels"].unique == (("word",),)
    references = {
        (key.columns, key.target_schema, key.target, key.target_columns) for key in tables["lines"].foreign_keys
    }
    assert references == {
        (("product_code",), catalog.schema, "products", ("code",)),
        (("region", "number"), catalog.schema, "orders", ("region", "number")),
    }
    assert [column.name for column in tables["lines"].columns if column.is_key] == ["region", "number", "place"]


@pytest.mark.parametrize("engine", ENGINES)
async def test_defaults_and_generated_columns_are_reported(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    statement = EXTRAS.format(stored="" if engine == "duckdb" else "STORED")
    if engine == "postgres":
        shop: Shop = load(engine, place(request, engine, tmp_path))
        assert isinstance(shop, PostgresShop)
        shop._psql(shop.url, statement)
    elif engine == "duckdb":
        shop = DuckdbShop(tmp_path / "made.duckdb")
        with duckdb.connect(str(shop.file)) as database:
            database.execute(statement)
    else:
        shop = SqliteShop(tmp_path / "made.db")
        connection = sqlite3.connect(shop.file)
        connection.execute(statement)
        connection.close()
    made = next(table for table in (await catalog_of(shop)).tables if table.name == "made")
    assert made.unique == (("d", "b"),)
    assert {column.name for column in made.columns if column.is_generated} == {"c"}
    assert {column.name for column in made.columns if column.has_default} - {"a", "c"} == {"b"}


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_schema_of_many_tables_is_read_whole(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    columns = ", ".join(f"c{number} integer" for number in range(20))
    statements = [f"CREATE TABLE t{number} (id integer PRIMARY KEY, {columns})" for number in range(MANY)]
    shop = load(engine, place(request, engine, tmp_path))
    if isinstance(shop, PostgresShop):
        shop._psql(shop.url, ";".join(statements))
    elif isinstance(shop, DuckdbShop):
        with duckdb.connect(str(shop.file)) as database:
            for statement in statements:
                database.execute(statement)
    elif isinstance(shop, SqliteShop):
        connection = sqlite3.connect(shop.file)
        connection.executescript(";".join(statements))
        connection.close()
    opened = shop.engine()
    catalog = await opened.introspect()
    await opened.close()
    assert len(catalog.tables) >= MANY
