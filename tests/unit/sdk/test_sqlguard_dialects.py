"""What engines read differently: each form permitted in the dialect that has it, written as that engine reads it."""

from dataclasses import replace

import pytest
from sqlglot import exp
from tests.shop import DIALECTS, analyst_view

from pierhead.sdk.sqlguard import Dialect, SqlRefused, finished, govern, selection, slot
from pierhead.sdk.sqlguard.dialects import sqlglot_dialect


def governed(sql: str, dialect: Dialect) -> str:
    return govern(sql, analyst_view(dialect), max_rows=50).sql


def refused(sql: str, dialect: Dialect) -> str:
    with pytest.raises(SqlRefused) as refusal:
        governed(sql, dialect)
    return refusal.value.code


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 COMMIT",
        "SELECT id FROM orders COMMIT",
        "SELECT 1 DELETE FROM orders",
        "SELECT 1 GO",
        "SELECT 1 SHUTDOWN",
        "SELECT id FROM orders KILL",
        "SELECT id x FROM (SELECT id FROM orders) EXEC",
        "SELECT 1 AS revert",
    ],
)
def test_a_word_that_starts_a_statement_is_no_alias_in_sql_server(sql: str) -> None:
    assert refused(sql, "tsql") == "several-statements"


@pytest.mark.parametrize(
    ("condition", "is_fenced"),
    [
        ("status = 'paid'", False),
        ("'paid' = status", False),
        ("status IN ('paid', 'new') AND NOT status IS NULL", False),
        ("ordered_at >= DATE '2026-11-19' OR ordered_at BETWEEN DATE '2026-01-01' AND DATE '2026-01-02'", False),
        ("id < 5", True),  # with a column of many decimals it would be widened, and might fail
        ("id = qty", True),
        ("ordered_at = DATE '2026-13-45'", True),
        ("ordered_at = DATE '20261119'", True),
        ("ordered_at > TIMESTAMP '2026-11-19 00:00:00'", True),
        ("CAST(status AS integer) = 7", True),
        ("status IN (SELECT sku FROM products)", True),
        ("EXISTS (SELECT 1 FROM products)", True),
        ("qty BETWEEN 1 AND 2", True),
        ("length(status) IN ('a', 'b')", True),
        ("status LIKE 'p%'", True),
    ],
)
def test_in_trino_a_column_meets_only_text_and_days_before_the_row_rule(condition: str, is_fenced: bool) -> None:
    view = analyst_view("trino")
    ruled = tuple(replace(table, condition=exp.EQ(this=exp.column("x"), expression=slot("x"))) for table in view.tables)
    sql = govern(f"SELECT id FROM orders WHERE {condition}", replace(view, tables=ruled), max_rows=50).sql
    assert ("LIMIT 9223372036854775807" in sql) is is_fenced
    assert "OFFSET" not in sql


def test_the_same_word_in_brackets_is_a_name() -> None:
    assert governed("SELECT 1 AS [COMMIT]", "tsql") == "SELECT TOP 51 1 AS [COMMIT]"


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT seq.NEXTVAL FROM dual", "oracle"),
        ("SELECT shop.seq.nextval FROM orders", "oracle"),
        ('SELECT "SEQ"."CURRVAL" FROM orders seq', "oracle"),
        ("SELECT seq.NEXTVAL", "snowflake"),
        ("SELECT o.nextval FROM orders o", "snowflake"),
        ("SELECT nextval(s)", "mysql"),
        ("SELECT NEXT VALUE FOR s", "mysql"),
        ("SELECT PREVIOUS VALUE FOR s", "mysql"),
        ("SELECT NEXT VALUE FOR s", "tsql"),
        ("SELECT nextval('s')", "postgres"),
        ("SELECT nextval('s')", "duckdb"),
    ],
)
def test_no_sequence_is_advanced(sql: str, dialect: Dialect) -> None:
    assert refused(sql, dialect) in ("unsupported-syntax", "unknown-function", "parse")


@pytest.mark.parametrize("dialect", [each for each in DIALECTS if each not in ("sqlite", "mysql")])
def test_fetch_first_is_a_limit(dialect: Dialect) -> None:
    text = "SELECT id FROM orders ORDER BY id OFFSET 2 ROWS FETCH FIRST 3 ROWS ONLY"
    assert "3" in governed(text, dialect)
    assert "51" not in governed(text, dialect)
    assert "51" in governed(text.replace("FIRST 3", "FIRST 3000"), dialect)


def test_fetch_first_is_a_limit_in_mariadb_too() -> None:
    assert governed("SELECT id FROM orders FETCH FIRST 3 ROWS ONLY", "mysql").endswith("LIMIT 3")


def test_for_json_shapes_permitted_columns_only() -> None:
    written = governed("SELECT * FROM customers FOR JSON PATH, ROOT('all')", "tsql")
    assert written.endswith("FOR JSON PATH, ROOT('all')")
    assert "email" not in written
    assert refused("SELECT * FROM customers FOR XML AUTO", "tsql") == "unsupported-syntax"
    assert refused("SELECT * FROM customers FOR BROWSE", "tsql") == "unsupported-syntax"


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT * FROM generate_series(1, 10)", "postgres"),
        ("SELECT g FROM generate_series(1, 10) AS g", "postgres"),
        ("SELECT g.d FROM generate_series('2026-01-01'::timestamp, '2026-02-01', '1 day') AS g(d)", "postgres"),
        ("SELECT x FROM generate_series(1, 10, 2) WITH ORDINALITY AS t(x, n)", "postgres"),
        ("SELECT generate_series(1, 3)", "postgres"),
        ("SELECT unnest(generate_series(1, 3))", "duckdb"),
        ("SELECT * FROM range(5)", "duckdb"),
        ("SELECT value FROM GENERATE_SERIES(1, 10)", "tsql"),
        ("SELECT x FROM UNNEST(sequence(1, 5)) AS t(x)", "trino"),
    ],
)
def test_series_are_permitted_in_every_form(sql: str, dialect: Dialect) -> None:
    assert "51" in governed(sql, dialect)


@pytest.mark.parametrize("dialect", ["postgres", "duckdb", "tsql"])
def test_a_series_has_an_end(dialect: Dialect) -> None:
    assert refused("SELECT * FROM generate_series(1, 1000000000)", dialect) == "too-large"


@pytest.mark.parametrize("kind", ["OUTER", "CROSS"])
@pytest.mark.parametrize("dialect", ["tsql", "oracle"])
def test_apply_is_over_a_subquery_only(kind: str, dialect: Dialect) -> None:
    assert refused(f"SELECT o.id FROM orders o {kind} APPLY secrets", dialect) == "unsupported-syntax"
    assert refused(f"SELECT o.id FROM orders o {kind} APPLY t", dialect) == "unsupported-syntax"
    inner = "(SELECT p.id FROM products p WHERE p.id = o.product_id) x"
    if dialect == "tsql":
        assert f"{kind} APPLY (SELECT" in governed(f"SELECT o.id FROM orders o {kind} APPLY {inner}", dialect)
    assert refused(f"SELECT o.id FROM orders o {kind} APPLY (SELECT * FROM secrets) x", dialect) == "unknown-table"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SET STATEMENT max_statement_time=0 FOR SELECT 1", "not-a-read"),
        ("SELECT 1 /*!50000 , 2 */", "unsupported-syntax"),
        ("SELECT 1 /*M! , 2 */", "unsupported-syntax"),
        ("SELECT 1 # '\n/*! , 2 # ' */", "unsupported-syntax"),
        ("SELECT 1 -- '\n/*! , 2 -- ' */", "unsupported-syntax"),
        ("SELECT 1 /* ' */ /*! , 2 /* ' */", "unsupported-syntax"),
        ("SELECT CONVERT(id USING utf8mb4) INTO @x FROM orders", "unsupported-syntax"),
        ("SELECT * FROM orders FOR SYSTEM_TIME ALL", "unsupported-syntax"),
        ("SELECT @@max_statement_time", "unsupported-syntax"),
        ("SELECT get_lock('a', 10)", "unknown-function"),
        ("SELECT name_const('a', 1)", "unknown-function"),
    ],
)
def test_what_only_mariadb_has_is_refused(sql: str, code: str) -> None:
    assert refused(sql, "mysql") == code


def test_comment_signs_in_mariadb_text_and_comments_are_no_executable_comment() -> None:
    assert governed("SELECT '/*!' FROM orders # /*! */", "mysql").startswith("SELECT '/*!' FROM")


def test_regular_expressions_are_an_operator_in_mariadb() -> None:
    written = governed("SELECT id FROM orders WHERE NOT status REGEXP IF('a' RLIKE id, 'a', 'b')", "mysql")
    assert written.endswith("WHERE NOT ((`status`) REGEXP (IF((('a') REGEXP (`id`)), 'a', 'b'))) LIMIT 51")


def test_oracle_is_written_minus_and_text_is_left_alone() -> None:
    text = "SELECT 'EXCEPT' AS \"EXCEPT\" FROM orders MINUS SELECT status FROM orders"
    written = governed(text, "oracle")
    assert written.count("MINUS") == 1
    assert written.startswith("SELECT 'EXCEPT' AS \"EXCEPT\" FROM")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_value_is_a_mark_of_the_driver(dialect: Dialect) -> None:
    view = analyst_view(dialect)
    table = view.tables[0]
    name = exp.column(exp.to_identifier(table.columns[1].name, quoted=True))
    place = exp.Table(this=exp.to_identifier(table.name, quoted=True), db=exp.to_identifier(table.schema, quoted=True))
    tree = exp.Select(expressions=[name, exp.Literal.string("100%")], from_=exp.From(this=place))
    tree.set("where", exp.Where(this=exp.EQ(this=name.copy(), expression=slot("who"))))
    query = finished(tree, (table,), view, rows=51)
    mark = {"postgres": "$1", "oracle": ":1"}.get(dialect, "?")
    assert query.sql.endswith(f"= {mark}")
    assert "'100%'" in query.sql
    assert query.bound({"who": "x"}) == ["x"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_selection_of_columns_passes_the_guard_like_a_callers_text(dialect: Dialect) -> None:
    view = analyst_view(dialect)
    table = view.tables[0]
    columns = [column.name for column in table.columns[:2]]
    assert govern(selection(table, columns, dialect), view, max_rows=5).tables == (table,)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_written_is_read_back_the_same(dialect: Dialect) -> None:
    first = governed("SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id", dialect)
    again = sqlglot_dialect(dialect).parse(first)[0]
    assert again
    assert sqlglot_dialect(dialect).generate(again, identify=True, normalize_functions=False) == first


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("DECIMAL '0.05'", "CAST('0.05' AS DECIMAL(2, 2))"),
        ("numeric '-0012.340'", "CAST('-0012.340' AS DECIMAL(5, 3))"),
        ("DECIMAL '12345678901234567890.12'", "CAST('12345678901234567890.12' AS DECIMAL(22, 2))"),
        ("DECIMAL '.5'", "CAST('.5' AS DECIMAL(1, 1))"),
        ("DECIMAL '0'", "CAST('0' AS DECIMAL(1, 0))"),
        ("DECIMAL 'much'", "CAST('much' AS DECIMAL)"),
        ("CAST('0.05' AS DECIMAL)", "CAST('0.05' AS DECIMAL)"),
        ("CHAR 'abc'", "CAST('abc' AS CHAR(3))"),
        ("CHAR ''", "CAST('' AS CHAR)"),
    ],
)
def test_in_trino_a_literal_with_a_type_has_the_size_of_what_is_written(written: str, read: str) -> None:
    assert read in governed(f"SELECT {written} AS x FROM orders", "trino")
