"""What a login could do besides, and what the engine itself holds, on a real MariaDB with logins of several kinds."""

from urllib.parse import urlsplit

import pytest
from tests.integration.sql_shops import MariadbShop

from pierhead.sdk.governed.engine import LoginReport
from pierhead.servers.sql.engines.mysql import MysqlEngine

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


@pytest.fixture
def shop(mariadb_url: str) -> MariadbShop:
    loaded = MariadbShop.load(mariadb_url)
    loaded.run("DROP USER IF EXISTS reader@'%'; CREATE USER reader@'%' IDENTIFIED BY 'read er'")
    return loaded


async def _reader(shop: MariadbShop) -> LoginReport:
    engine = _engine(shop)
    try:
        return await engine.check_login()
    finally:
        await engine.close()


def _engine(shop: MariadbShop, login: str = "reader:read%20er") -> MysqlEngine:
    return MysqlEngine(f"mariadb://{login}@127.0.0.1:{urlsplit(shop.url).port}/shop")


async def test_a_login_that_may_only_read_is_no_danger(shop: MariadbShop) -> None:
    shop.run("GRANT SELECT (id, sku) ON products TO reader@'%'; GRANT SELECT ON orders TO reader@'%'")
    report = await _reader(shop)
    assert report.name == "reader@%"
    assert (report.dangers, report.writable) == ((), frozenset())
    assert report.readable == {("shop", "orders"), ("shop", "products")}


async def test_every_way_of_writing_counts(shop: MariadbShop) -> None:
    shop.run("GRANT SELECT, UPDATE (sku) ON products TO reader@'%'; GRANT DELETE ON orders TO reader@'%'")
    assert (await _reader(shop)).writable == {("shop", "orders"), ("shop", "products")}


async def test_a_grant_on_a_pattern_of_databases_counts(shop: MariadbShop) -> None:
    shop.run(r"GRANT SELECT ON `sh\_p`.* TO reader@'%'; GRANT SELECT ON shop.orders TO reader@'%'")
    assert (await _reader(shop)).readable == {("shop", "orders")}
    shop.run("GRANT SELECT ON `sh_p`.* TO reader@'%'")
    assert ("shop", "secrets") in (await _reader(shop)).readable


async def test_rights_that_come_by_a_role_count(shop: MariadbShop) -> None:
    shop.run(
        "CREATE OR REPLACE ROLE keepers; GRANT ALL PRIVILEGES ON shop.orders TO keepers; GRANT keepers TO reader@'%';"
        "SET DEFAULT ROLE keepers FOR reader@'%'"
    )
    report = await _reader(shop)
    assert report.owned == {("shop", "orders")}
    assert report.dangers == ("owns 1 tables",)


async def test_files_and_users_are_dangers(shop: MariadbShop) -> None:
    shop.run("GRANT FILE, CREATE USER ON *.* TO reader@'%'; GRANT SELECT ON orders TO reader@'%'")
    report = await _reader(shop)
    assert report.dangers == ("is a superuser", "reaches files of the database's machine")
