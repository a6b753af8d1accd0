"""Whatever text comes in, it is governed or refused; and what is governed reads permitted tables only."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp, parse
from tests.searching import examples
from tests.shop import analyst_view, entries

from pierhead.sdk.sqlguard import Dialect, SqlRefused, govern
from pierhead.sdk.sqlguard.dialects import sqlglot_dialect

MAIN: tuple[Dialect, ...] = ("sqlite", "postgres", "duckdb")
PERMITTED = {"customers", "products", "orders"}

_WORDS = st.sampled_from(
    r"""
    SELECT FROM WHERE WITH RECURSIVE AS UNION ALL EXCEPT JOIN ON USING LATERAL ( ) , . ; * = < 'it''s'
    "secrets" secrets orders customers products email id token o c :: -> ->> IN NOT EXISTS VALUES 1 0
    NULL count( lower( pg_read_file( readfile( EXPLAIN LIMIT GROUP BY ORDER HAVING OVER PARTITION FOR
    UPDATE INTO TABLE PIVOT $1 ? @x {} [ ] -- /* */ `secrets` $$ E'x' U& CASE WHEN THEN END CAST(
    interval
    """.split()  # noqa: SIM905 - legible as words
)
_MIXED = st.lists(_WORDS, max_size=25).map(" ".join)
_NAMES = st.text(min_size=1, max_size=20)


@examples(300)
@given(st.one_of(_MIXED, st.text(max_size=80)), st.sampled_from(MAIN))
def test_any_text_is_governed_or_refused(text: str, dialect: Dialect) -> None:
    with contextlib.suppress(SqlRefused):
        assert_only_permitted(govern(text, analyst_view(dialect), max_rows=10).sql, dialect)


@examples(200)
@given(st.data())
def test_a_mutated_statement_of_the_corpus_is_governed_or_refused(data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from(entries(*MAIN)))
    other = data.draw(st.sampled_from(entries(entry.dialect)))
    cut, paste = data.draw(st.integers(0, len(entry.sql))), data.draw(st.integers(0, len(other.sql)))
    with contextlib.suppress(SqlRefused):
        text = entry.sql[:cut] + " " + other.sql[paste:]
        assert_only_permitted(govern(text, analyst_view(entry.dialect), max_rows=10).sql, entry.dialect)


@examples(200)
@given(_NAMES, st.sampled_from(MAIN))
def test_no_text_literal_leaves_its_quotes(text: str, dialect: Dialect) -> None:
    quoted = text.replace("'", "''")
    with contextlib.suppress(SqlRefused):
        query = govern(f"SELECT id FROM orders WHERE status = '{quoted}'", analyst_view(dialect), max_rows=10)
        root = assert_only_permitted(query.sql, dialect)
        assert [node.name for node in root.find_all(exp.Literal) if node.is_string] == [text]


@examples(200)
@given(_NAMES, st.sampled_from(MAIN))
def test_no_quoted_name_leaves_its_quotes(name: str, dialect: Dialect) -> None:
    quoted = name.replace('"', '""')
    with contextlib.suppress(SqlRefused):
        query = govern(f'SELECT id AS "{quoted}" FROM orders', analyst_view(dialect), max_rows=10)
        root = assert_only_permitted(query.sql, dialect)
        assert root.find(exp.Alias).alias == name


def assert_only_permitted(sql: str, dialect: Dialect) -> exp.Expr:
    """Read what was written with fresh eyes: one statement, tables in subqueries of permitted columns."""
    roots = parse(sql, dialect=sqlglot_dialect(dialect))
    assert len(roots) == 1
    (root,) = roots
    assert root is not None
    introduced = {cte.alias for cte in root.find_all(exp.CTE)}
    for table in root.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier):
            assert (table.db and table.name in PERMITTED) or (not table.db and table.name in introduced)
    return root


@pytest.mark.parametrize("dialect", MAIN)
def test_governing_what_was_governed_changes_no_table(dialect: Dialect) -> None:
    view = analyst_view(dialect)
    for entry in entries(dialect):
        if entry.expected == "allow":
            once = govern(entry.sql, view, max_rows=10)
            assert set(govern(once.sql, view, max_rows=10).tables) == set(once.tables)
