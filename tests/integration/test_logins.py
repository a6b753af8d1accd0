"""What a login could do besides, on a real PostgreSQL with logins of several kinds."""

import asyncpg
import pytest

from pierhead.sdk.governed.engine import LoginReport
from pierhead.servers.sql.engines.postgres import PostgresEngine

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

TABLES = "CREATE TABLE orders (id int, total int); CREATE TABLE products (id int, sku text, cost int)"


@pytest.fixture
async def database(postgres_url: str) -> str:
    """A database with two tables, and logins with nothing but what each test grants."""
    owner = await asyncpg.connect(f"{postgres_url}/postgres")
    await owner.execute("DROP DATABASE IF EXISTS logins")
    await owner.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'reader'")
    await owner.execute("CREATE DATABASE logins")
    await owner.close()
    await _as_owner(f"{postgres_url}/logins", TABLES)
    return f"{postgres_url}/logins"


async def _as_owner(url: str, statements: str) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute(statements)
    await owner.close()


async def _reader(url: str) -> LoginReport:
    host = url.rpartition("@")[2]
    engine = PostgresEngine(f"postgresql://reader:reader@{host}")
    try:
        return await engine.check_login()
    finally:
        await engine.close()


async def test_a_login_that_may_only_read_is_no_danger(database: str) -> None:
    await _as_owner(database, "GRANT SELECT (id, sku) ON products TO reader; GRANT SELECT ON orders TO reader")
    report = await _reader(database)
    assert (report.name, report.dangers, report.writable) == ("reader", (), frozenset())
    assert report.readable == {("public", "orders"), ("public", "products")}


async def test_every_way_of_writing_counts(database: str) -> None:
    await _as_owner(database, "GRANT UPDATE (sku) ON products TO reader; GRANT TRUNCATE ON orders TO reader")
    assert (await _reader(database)).writable == {("public", "orders"), ("public", "products")}


async def test_rights_that_come_by_a_group_count(database: str) -> None:
    await _as_owner(database, "GRANT pg_read_server_files, pg_read_all_data TO reader")
    report = await _reader(database)
    assert report.reaches_files
    assert len(report.readable) == 2
    assert report.dangers == ("reaches files of the database's machine",)


async def test_an_owner_is_told_so(database: str) -> None:
    await _as_owner(database, "ALTER TABLE orders OWNER TO reader")
    report = await _reader(database)
    assert report.owned == {("public", "orders")}
    assert report.dangers == ("owns 1 tables",)
