"""Masks on real engines, as the database's owner: in governed SQL only the masked value exists."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.sql_shops import CALLER, Governed, Shop, SqliteShop, loaded, seen, source
from tests.shop import CANARIES

from pierhead.core.errors import PierheadError

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

MASKED = {
    "support": {
        "tables": {
            "customers": {
                "operations": ["read"],
                "columns": {"mask": {"email": "const:hidden", "name": "last4", "created_at": "year", "region": "null"}},
            },
            "products": {"operations": ["read"], "columns": {"mask": {"price": "bucket:10", "sku": "hash"}}},
            "orders": {"operations": ["read"], "columns": {"mask": {"amount": "bucket", "id": "bucket:100"}}},
        }
    }
}
# Every value behind a mask changes, and none of what the masks show.
CHANGES = (
    "UPDATE customers SET email = 'other' || id",
    "UPDATE customers SET name = 'Xu' || substr(name, 3)",
    "UPDATE customers SET region = 'NOWHERE' || id",
    "UPDATE customers SET created_at = '2026-07-03'",
    "UPDATE products SET price = price + 0.5, sku = 'T' || sku",
    "UPDATE orders SET amount = floor(amount / 10) * 10 + 1",
)
CHANGES_SQLITE = (*CHANGES[:-1], "UPDATE orders SET amount = CAST(amount / 10 AS INTEGER) * 10 + 1")

# Each tries to get, compare, sort or tell apart what stands behind a mask.
ATTEMPTS = (
    "SELECT * FROM customers ORDER BY id",
    "SELECT email, name, region, created_at FROM customers WHERE id < 9 ORDER BY id",
    "SELECT c.* FROM customers c JOIN customers d USING (email) WHERE c.id < 9 AND d.id = 1 ORDER BY c.id",
    "SELECT count(*) FROM customers NATURAL JOIN (SELECT email, id FROM customers) x",
    "SELECT id FROM customers WHERE email LIKE 'c7@%'",
    "SELECT id FROM customers WHERE email > 'c5' ORDER BY id",
    "SELECT id FROM customers WHERE region = 'EMEA'",
    "SELECT region, count(*) FROM customers GROUP BY region",
    "SELECT created_at, count(*) FROM customers GROUP BY created_at",
    "SELECT id FROM customers ORDER BY region, id LIMIT 5",
    "SELECT name, count(*) FROM customers GROUP BY name ORDER BY 1 LIMIT 20",
    "SELECT id FROM customers WHERE name < 'D' ORDER BY id LIMIT 7",
    "SELECT max(name), min(name), max(email), min(region) FROM customers",
    "SELECT length(name), length(email) FROM customers WHERE id < 5 ORDER BY id",
    "SELECT id, (SELECT email FROM customers x WHERE x.id = customers.id) FROM customers ORDER BY id LIMIT 3",
    "SELECT (SELECT count(*) FROM customers c WHERE c.email = customers.email) FROM customers LIMIT 3",
    "WITH c AS (SELECT * FROM customers) SELECT email, name FROM c ORDER BY id LIMIT 3",
    "SELECT email FROM customers UNION SELECT name FROM customers ORDER BY 1",
    "SELECT row_number() OVER (ORDER BY email, id) FROM customers LIMIT 3",
    "SELECT id, rank() OVER (ORDER BY region) FROM customers ORDER BY id LIMIT 3",
    "SELECT a, b, c FROM customers AS t(a, b, c, d, e) ORDER BY a LIMIT 3",
    "SELECT price, count(*) FROM products GROUP BY price ORDER BY price",
    "SELECT id FROM products WHERE price > 103.4 ORDER BY id",
    "SELECT sku FROM products",
    "SELECT count(sku) FROM products",
    "SELECT max(price), min(price), sum(price) FROM products",
    "SELECT p.id FROM products p JOIN orders o ON o.amount = p.price ORDER BY p.id LIMIT 3",
    "SELECT id, amount FROM orders ORDER BY id, amount, qty, product_id, customer_id LIMIT 9",
    "SELECT count(DISTINCT amount), count(DISTINCT id), sum(amount) FROM orders",
    "SELECT rowid FROM orders ORDER BY 1 LIMIT 3",
    "SELECT o.id FROM orders o WHERE o.id = 77",
    "SELECT CASE WHEN email LIKE 'c1@%' THEN 1 / 0 ELSE 1 END FROM customers WHERE id = 1",
    "SELECT CAST(email AS INTEGER) FROM customers WHERE id = 1",
    "SELECT CAST(name AS DATE) FROM customers WHERE id = 1",
    "SELECT customers FROM customers ORDER BY id LIMIT 2",
    "SELECT to_json(c) FROM customers c ORDER BY id LIMIT 2",
    "SELECT COLUMNS('.*') FROM customers ORDER BY id LIMIT 2",
    "SELECT CAST(c AS TEXT) FROM customers c ORDER BY id LIMIT 2",
)


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mysql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    return loaded(request, tmp_path)


async def answers(shop: Shop) -> dict[str, str]:
    governed = source(shop, MASKED)
    await governed.open()
    seen = {sql: await answer(governed, sql) for sql in ATTEMPTS}
    await governed.close()
    return seen


async def answer(governed: Governed, sql: str) -> str:
    try:
        return seen(await governed.run_query(CALLER, sql=sql, max_rows=200, timeout_s=5.0))
    except PierheadError as refusal:
        return f"refused {refusal.code}: {refusal.message} ({refusal.hint})"


async def rows(governed: Governed, sql: str) -> Any:
    return (await governed.run_query(CALLER, sql=sql, max_rows=200, timeout_s=5.0)).rows


async def test_answers_do_not_depend_on_what_is_masked(shop: Shop) -> None:
    before = await answers(shop)
    shop.change_protected(CHANGES_SQLITE if isinstance(shop, SqliteShop) else CHANGES)
    after = await answers(shop)
    assert {sql: (seen, after[sql]) for sql, seen in before.items() if seen != after[sql]} == {}
    assert not [sql for sql, seen in before.items() if any(canary in seen for canary in CANARIES)]
    assert sum(not seen.startswith("refused") for seen in before.values()) > len(ATTEMPTS) / 2


async def test_each_mask_shows_what_it_promises(shop: Shop) -> None:
    governed = source(shop, MASKED)
    await governed.open()
    customers = await rows(
        governed, "SELECT name, email, region, created_at FROM customers WHERE id IN (1, 27) ORDER BY id"
    )
    assert customers == [["****er 1", "hidden", None, 2026], ["****r 27", "hidden", None, 2026]]
    prices = await rows(governed, "SELECT DISTINCT price FROM products WHERE id IN (101, 102, 103) ORDER BY price")
    assert [float(price) for (price,) in prices] == [0.0, 10.0]
    described = await governed.describe_table(CALLER, table="products", columns_like="", sample_rows=2)
    assert [column.name for column in described.columns] == ["id", "sku", "name", "price", "tags"]
    assert [column.name for column in described.columns if column.masked] == ["sku", "price"]
    assert all(sku is None and float(price) % 10 == 0 for _, sku, _, price, _ in described.sample)
    await governed.close()


async def test_short_empty_and_odd_values_stay_behind_their_masks(tmp_path: Path) -> None:
    shop = SqliteShop.load(tmp_path)
    shop.change_protected(
        (
            "UPDATE customers SET name = '1234' WHERE id = 1",
            "UPDATE customers SET name = '' WHERE id = 2",
            "UPDATE customers SET name = 'secret', created_at = 'secret' WHERE id = 3",
            "UPDATE products SET price = 'secret' WHERE id = 101",
            "UPDATE products SET price = -3 WHERE id = 102",
            "UPDATE products SET price = NULL WHERE id = 103",
        )
    )
    governed = source(shop, MASKED)
    await governed.open()
    names = await rows(governed, "SELECT name, created_at FROM customers WHERE id < 4 ORDER BY id")
    assert names == [["****", 2026], ["****", 2026], ["****cret", None]]
    prices = await rows(governed, "SELECT price FROM products WHERE id < 104 ORDER BY id")
    assert prices == [[None], [-10], [None]]
    await governed.close()
