"""What the guard writes, and what it says when it refuses."""

import pytest
from tests.shop import analyst_view

from pierhead.sdk.sqlguard import Column, Dialect, PermittedTable, SqlRefused, View, govern


def governed(sql: str, dialect: Dialect = "postgres", max_rows: int = 50) -> str:
    return govern(sql, analyst_view(dialect), max_rows=max_rows).sql


def refused(sql: str, dialect: Dialect = "postgres") -> SqlRefused:
    with pytest.raises(SqlRefused) as refusal:
        govern(sql, analyst_view(dialect), max_rows=50)
    return refusal.value


CUSTOMERS = '(SELECT "id", "name", "region", "created_at" FROM "shop"."public"."customers")'


def test_a_table_becomes_a_subquery_of_its_permitted_columns() -> None:
    assert governed("SELECT * FROM customers") == f'SELECT * FROM {CUSTOMERS} AS "customers" LIMIT 51'


def test_an_alias_and_a_qualified_column_survive_the_rewriting() -> None:
    assert governed("SELECT public.customers.id, c.Name FROM public.customers, Customers c") == (
        f'SELECT "customers"."id", "c"."name" FROM {CUSTOMERS} AS "customers", {CUSTOMERS} AS "c" LIMIT 51'
    )


def test_one_row_more_than_asked_for_is_read() -> None:
    assert governed("SELECT 1 LIMIT 5") == "SELECT 1 LIMIT 5"
    assert governed("SELECT 1 LIMIT 5000") == "SELECT 1 LIMIT 51"
    assert governed("SELECT 1 FETCH FIRST 7 ROWS ONLY") == "SELECT 1 LIMIT 7"
    assert governed("SELECT 1 LIMIT ALL").endswith("LIMIT 51")
    assert governed("VALUES (1), (2)").endswith("LIMIT 51")


def test_comments_and_hints_do_not_reach_the_engine() -> None:
    assert governed("SELECT /* a */ 1 -- b\n;") == "SELECT 1 LIMIT 51"
    assert "USE INDEX" not in governed("SELECT o.id FROM orders o USE INDEX (PRIMARY)", "mysql")


def test_sqlite_names_are_never_in_double_quotes() -> None:
    """SQLite would read an unknown "email" as the text 'email'."""
    assert '"' not in governed('SELECT "id" FROM orders', "sqlite")


def test_rowid_is_the_permitted_key() -> None:
    assert governed("SELECT rowid FROM orders", "sqlite").startswith("SELECT `id` FROM (SELECT `id`")


def test_a_sample_stays_with_the_table() -> None:
    assert "TABLESAMPLE BERNOULLI (10)) AS" in governed("SELECT id FROM orders TABLESAMPLE BERNOULLI (10)")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT 1; SELECT 2", "several-statements"),
        ("DELETE FROM orders", "not-a-read"),
        ("", "parse"),
        ("SELECT FROM WHERE", "parse"),
        ("SELECT pg_sleep(1)", "unknown-function"),
        ("SELECT pg_catalog.lower('x')", "unsupported-syntax"),
        ("SELECT * FROM secrets", "unknown-table"),
        ("SELECT * FROM other.public.orders", "unknown-table"),
        ("SELECT email FROM customers", "unknown-column"),
        ("SELECT 1" + " + 1" * 4_000, "too-large"),
        ("SELECT " + "(" * 1_000 + "1" + ")" * 1_000, "too-large"),
        ("SELECT " + "NOT " * 2_000 + "true", "too-large"),
        ("SELECT " + "x" * 30_000, "too-large"),
        ("SELECT\u00a01", "parse"),
        ("SELECT 1\x00", "parse"),
        ("SELECT 'x'::regclass", "unsupported-syntax"),
        ("SELECT 1 OPERATOR(public.###) 2", "unsupported-syntax"),
        ("SELECT ?", "unsupported-syntax"),
        ("SELECT U&'x'", "unsupported-syntax"),
        ("SELECT repeat('x', id) FROM orders", "too-large"),
        ("SELECT repeat(repeat(repeat('x', 900), 900), 900)", "too-large"),
        ("SELECT format('%1000000s', 'x')", "too-large"),
        ("SELECT * FROM generate_series(1, 100000000000)", "too-large"),
        ("WITH RECURSIVE orders AS (SELECT * FROM orders) SELECT * FROM orders", "unsupported-syntax"),
        ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT * FROM r", "unsupported-syntax"),
        ("EXPLAIN ANALYZE SELECT 1", "not-a-read"),
    ],
)
def test_a_refusal_has_a_stable_code(sql: str, code: str) -> None:
    assert refused(sql).code == code


def test_hidden_and_absent_tables_read_the_same() -> None:
    hidden, absent = refused("SELECT * FROM secrets"), refused("SELECT * FROM nowhere")
    assert hidden.message.replace("secrets", "nowhere") == absent.message
    assert hidden.hint == absent.hint
    assert "customers, products, orders" in hidden.hint


def test_a_hidden_column_is_answered_with_the_permitted_ones() -> None:
    assert refused("SELECT c.email FROM customers c").hint.endswith("customers(id, name, region, created_at)")


def test_a_name_is_a_with_name_only_in_its_scope() -> None:
    assert "secrets" in governed("WITH secrets AS (SELECT 1 AS id) SELECT * FROM secrets")
    for outside in (
        "WITH secrets AS (SELECT 1) SELECT * FROM public.secrets",
        "SELECT * FROM (WITH secrets AS (SELECT 1) SELECT * FROM secrets) a, secrets",
        "WITH a AS (SELECT * FROM secrets), secrets AS (SELECT 1) SELECT * FROM a",
    ):
        assert refused(outside).code in ("unknown-table", "unsupported-syntax")


def test_a_with_name_that_shadows_a_table_reads_the_table_inside() -> None:
    text = governed("WITH orders AS (SELECT * FROM orders WHERE qty > 2) SELECT count(*) FROM orders")
    assert text.count('"shop"."public"."orders"') == 1


def test_an_alias_list_is_not_longer_than_the_permitted_columns() -> None:
    assert refused("SELECT e FROM customers AS c(a, b, c, d, e)").code == "unknown-column"
    assert refused("WITH q(a, b, c, d, e) AS (SELECT * FROM customers) SELECT e FROM q").code == "unknown-column"


def test_an_empty_view_permits_no_table() -> None:
    with pytest.raises(SqlRefused) as refusal:
        govern("SELECT * FROM orders", View("postgres", "shop", "public", ()), max_rows=1)
    assert refusal.value.code == "unknown-table"


def test_a_table_without_a_permitted_column_cannot_be_read() -> None:
    view = View("postgres", "shop", "public", (PermittedTable("public", "orders", ()),))
    with pytest.raises(SqlRefused):
        govern("SELECT count(*) FROM orders", view, max_rows=1)


def test_the_kelvin_sign_is_no_letter_k() -> None:
    view = View("duckdb", "m", "main", (PermittedTable("main", "keys", (Column("id"),)),))
    with pytest.raises(SqlRefused) as refusal:
        govern("SELECT id FROM \u212aeys", view, max_rows=1)
    assert refusal.value.code == "unknown-table"


@pytest.mark.parametrize(
    ("hole", "sql", "dialect"),
    [
        ("server-postgres", "COMMIT; DROP SCHEMA public CASCADE", "postgres"),
        ("mcp-server-sqlite #3314", "SELECT * FROM pragma_table_info('secrets')", "sqlite"),
        ("GHSA-65hm-pwj5-73pw", "select into_outfile(1); drop table orders", "mysql"),
        ("GHSA-mwwr-p57h-56pf", "SELECT 1--1; DROP TABLE orders\n; DROP TABLE orders", "mysql"),
        ("DBHub version comments", "SELECT 1 /*!50000 UNION SELECT token FROM secrets */", "mysql"),
        ("DBHub EXEC", "EXEC('DELETE FROM orders')", "tsql"),
        ("postgres-mcp #178", "VALUES ((SELECT * FROM pg_read_file('/etc/passwd')))", "postgres"),
        ("CVE-2026-25879", "COPY orders FROM PROGRAM 'id'", "postgres"),
        ("mcp-clickhouse", "SEL/**/ECT 1; DR/**/OP TABLE orders", "postgres"),
        ("Klavis Snowflake", "SELECT * FROM secrets", "snowflake"),
        ("AgamiAI #157", "SELECT * FROM `secrets`", "mysql"),
        ("sqlsaber #184", "SELECT * FROM 'secrets.parquet'", "duckdb"),
        ("IBM i", "SELECT QCMDEXC('DLTF') FROM orders", "tsql"),
        ("awslabs postgres U&", 'SELECT * FROM U&"\\0073ecrets"', "postgres"),
        ("awslabs postgres dblink", "SELECT * FROM dblink('x', 'SELECT 1') AS t(a int)", "postgres"),
    ],
)
def test_a_published_hole_stays_closed(hole: str, sql: str, dialect: Dialect) -> None:
    assert refused(sql, dialect).code


def test_an_unnamed_result_keeps_the_callers_heading() -> None:
    text = governed("SELECT round(avg(qty), 1), count(*) FROM orders", "sqlite")
    assert "AS `ROUND(AVG(qty), 1)`" in text
    assert "AVG(`qty`)" in text
