"""Which columns a statement is said to read: never fewer than it does."""

import pytest

from pierhead.sdk.sqlguard import Column, Dialect, PermittedTable, View, govern, without_literals

ORDERS = PermittedTable("main", "orders", (Column("id"), Column("total"), Column("region")), row_id="id")
PEOPLE = PermittedTable("crm", "people", (Column("id"), Column("name")))


def columns(sql: str, dialect: Dialect = "duckdb") -> list[str]:
    view = View(dialect, "shop" if dialect == "duckdb" else "", "main", (ORDERS, PEOPLE))
    return list(govern(sql, view, max_rows=10).columns)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT total FROM orders", ["orders.total"]),
        ("SELECT ToTaL FROM orders WHERE id = 1", ["orders.id", "orders.total"]),
        ("SELECT count(*) FROM orders", []),
        ("SELECT * FROM orders", ["orders.*"]),
        ("SELECT o.* FROM orders AS o", ["orders.*"]),
        ("FROM orders", ["orders.*"]),
        ("SELECT o FROM orders AS o", ["orders.*"]),
        ("SELECT to_json(orders) FROM orders", ["orders.*"]),
        ("SELECT a FROM orders AS o(a)", ["orders.*"]),
        ("SELECT count(*) FROM orders NATURAL JOIN crm.people", ["crm.people.*", "orders.*"]),
        ("SELECT count(*) FROM orders JOIN crm.people USING (id)", ["crm.people.id", "orders.id"]),
        ("SELECT name FROM orders JOIN crm.people AS p ON p.id = orders.total",
         ["crm.people.id", "crm.people.name", "orders.id", "orders.total"]),
        ("WITH w AS (SELECT region AS r FROM orders) SELECT r FROM w", ["orders.region"]),
        ("WITH w AS (SELECT region FROM orders) SELECT w FROM w", ["orders.*"]),
        ("SELECT COLUMNS('t.*') FROM orders", ["orders.*"]),
        ("SELECT 1", []),
    ],
)  # fmt: skip
def test_columns_that_may_be_read_are_named(sql: str, expected: list[str]) -> None:
    assert columns(sql) == expected


def test_a_row_id_reads_the_key() -> None:
    assert columns("SELECT rowid FROM orders", "sqlite") == ["orders.id"]


@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "duckdb", "mysql", "trino"])
def test_no_literal_is_left_in_a_recorded_text(dialect: Dialect) -> None:
    sql = "SELECT 'c0ffee', x'c0ffee', 4711, -4711.5, 4711e3 -- c0ffee\n FROM t WHERE a = 'it''s c0ffee'"
    text = without_literals(sql, dialect)
    assert text.startswith("SELECT ? , ")
    assert "c0ffee" not in text
    assert "4711" not in text
