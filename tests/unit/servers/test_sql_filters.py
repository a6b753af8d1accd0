"""Both grammars read into one tree, and no value of it ever becomes text of SQL."""

from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.sdk import Invalid
from pierhead.sdk.governed.filter_sql import condition
from pierhead.sdk.governed.filters import (
    ClaimRef,
    Condition,
    Either,
    Every,
    Filter,
    Negation,
    Operand,
    shape,
    values,
)
from pierhead.sdk.governed.grammar_native import parse_filter, parse_rule
from pierhead.sdk.sqlguard import Column, Dialect
from pierhead.sdk.sqlguard.dialects import sqlglot_dialect
from pierhead.sdk.sqlguard.statement import numbered
from pierhead.servers.sql.grammar_faucet import parse_filter_text

COLUMNS: Final = (
    Column("id", "integer"),
    Column("name", "text"),
    Column("select", "text"),
    Column('odd "col.', "text"),
    Column("tags", "json"),
    Column("price", "numeric"),
)
DIALECTS: Final[tuple[Dialect, ...]] = ("sqlite", "postgres", "duckdb", "mysql", "trino", "tsql", "oracle", "snowflake")


def one(column: str, operator: str, value: object) -> Filter:
    return Condition(Operand(column), operator, value)  # type: ignore[arg-type]


def native(*pairs: tuple[str, str]) -> Filter | None:
    return parse_filter(pairs)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("price", "gte.10"), one("price", "gte", "10")),
        (("name", "eq.a.b"), one("name", "eq", "a.b")),
        (("name", 'eq."a,b"'), one("name", "eq", "a,b")),
        (("name", 'eq."'), one("name", "eq", '"')),
        (("name", "eq."), one("name", "eq", "")),
        (("name", 'not.in.(a,"b,)",c)'), Negation(one("name", "in", ("a", "b,)", "c")))),
        (("id", "in.()"), one("id", "in", ())),
        (("name", "like.a*b%"), one("name", "like", "a%b%")),
        (("name", "is.NULL"), one("name", "is", "null")),
        (('"select"', "eq.x"), one("select", "eq", "x")),
        (('"odd ""', "eq.x"), None),
        (('"odd \\"col."', "eq.x"), one('odd "col.', "eq", "x")),
        (("labels", "cs.{a,b}"), one("labels", "cs", "{a,b}")),
        (("name", 'eq(any).{a,"b}"}'), Condition(Operand("name"), "eq", ("a", "b}"), quantifier="any")),
        (("body", "fts(english).wind"), Condition(Operand("body"), "fts", "wind", setting="english")),
        (("tags->a->>0", "eq.x"), Condition(Operand("tags", ("a", 0)), "eq", "x")),
        (("tags->a", "gt.5"), Condition(Operand("tags", ("a",), as_text=False), "gt", "5")),
        (
            ("or", "(status.eq.paid,qty.in.(1,2),not.and(a.lt.1,b.not.gt.2))"),
            Either(
                (
                    one("status", "eq", "paid"),
                    one("qty", "in", ("1", "2")),
                    Negation(Every((one("a", "lt", "1"), Negation(one("b", "gt", "2"))))),
                )
            ),
        ),
        (("not.or", "(a.eq.1,b.eq.2)"), Negation(Either((one("a", "eq", "1"), one("b", "eq", "2"))))),
        (("or", '(l.cs.{a,b},j.cs.{"k":[1,2]})'), Either((one("l", "cs", "{a,b}"), one("j", "cs", '{"k":[1,2]}')))),
    ],
)
def test_the_native_grammar_reads_a_pair(pair: tuple[str, str], expected: Filter | None) -> None:
    if expected is None:
        with pytest.raises(Invalid):
            native(pair)
    else:
        assert native(pair) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status = 'paid'", one("status", "eq", "paid")),
        ("total>=10.50", one("total", "gte", Decimal("10.50"))),
        ("a != 'it''s'", one("a", "neq", "it's")),
        ('"odd col" <> -1', one("odd col", "neq", -1)),
        ("a not in (1, 'x')", Negation(one("a", "in", (1, "x")))),
        ("a IS NOT NULL", Negation(one("a", "is", "null"))),
        ("a = TRUE", one("a", "eq", True)),
        ("a BETWEEN 1 AND 2 AND b = 3", Every((Every((one("a", "gte", 1), one("a", "lte", 2))), one("b", "eq", 3)))),
        ("a CONTAINS '100%_'", one("a", "contains", "100%_")),
        ("a STARTS WITH 'x' OR a ENDS WITH 'y'", Either((one("a", "starts", "x"), one("a", "ends", "y")))),
        ("a = 1 OR b = 2 AND c = 3", Either((one("a", "eq", 1), Every((one("b", "eq", 2), one("c", "eq", 3)))))),
        ("(a = 1 OR b = 2) AND c = 3", Every((Either((one("a", "eq", 1), one("b", "eq", 2))), one("c", "eq", 3)))),
        ("NOT (a = 1)", Negation(one("a", "eq", 1))),
        ("tags->>'k' = 'v'", Condition(Operand("tags", ("k",)), "eq", "v")),
        ("sum(total) > 5", Condition(Operand("total", aggregate="sum"), "gt", 5)),
        ("count(*) > 5", Condition(Operand("", aggregate="count"), "gt", 5)),
    ],
)
def test_faucets_grammar_reads_a_text(text: str, expected: Filter) -> None:
    assert parse_filter_text(text) == expected


@pytest.mark.parametrize(
    "pair",
    [
        ("name", "wat.x"),
        ("name", "match.x"),
        ("name", "x"),
        ("id", "in.1,2"),
        ("id", "in.(1,2"),
        ("name", "eq(some).{a}"),
        ("name", "like(any).a"),
        ("name", "is.5"),
        ("or", "(a.eq.1"),
        ("or", "a.eq.1"),
        ("or", "(a.eq.1))"),
        ("or", "()"),
        ("tags->", "eq.1"),
        ("a b.c", "eq.1"),
        ("or", "(" * 500),
        ("and", "(and" * 20 + "(a.eq.1" + ")" * 21),
    ],
)
def test_what_the_native_grammar_cannot_read_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(Invalid) as refusal:
        native(pair)
    assert refusal.value.code == "bad-filter"


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a =",
        "a = NULL",
        "a = b",
        "a = 'x",
        "a = 1; DROP TABLE t",
        "a = 1 --",
        "a = 1 OR",
        "(a = 1",
        "a IN 1",
        "a IS 5",
        "lower(a) = 'x'",
        "a = 1 UNION SELECT 1",
        "(" * 500 + "a = 1",
        "NOT " * 500 + "a = 1",
    ],
)
def test_what_faucets_grammar_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_filter_text(text)
    assert refusal.value.code == "bad-filter"


def test_a_rule_may_name_claims_and_a_request_may_not() -> None:
    assert parse_rule("region.eq.${claims.region}") == one("region", "eq", ClaimRef("region"))
    assert parse_rule("id.in.${claims.ids}") == one("id", "in", ClaimRef("ids"))
    assert parse_rule("a.eq.1,b.eq.2") == Every((one("a", "eq", "1"), one("b", "eq", "2")))
    assert native(("region", "eq.${claims.region}")) == one("region", "eq", "${claims.region}")


def test_a_filter_has_its_limits() -> None:
    assert native(("id", f"in.({','.join('1' * 1_000)})")) is not None
    with pytest.raises(Invalid, match="1000 members"):
        native(("id", f"in.({','.join('1' * 1_001)})"))
    with pytest.raises(Invalid, match="100 conditions"):
        native(*[("id", "eq.1")] * 101)


@pytest.mark.parametrize("name", ["email", 'x" OR 1=1 --', "id; DROP TABLE t", "*"])
def test_an_unknown_column_is_refused_with_the_permitted_ones(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        condition(one(name, "eq", "1"), COLUMNS, "postgres", named="f")
    assert refusal.value.code == "unknown-column"
    assert "price" in refusal.value.hint


def test_a_masked_column_may_not_be_filtered() -> None:
    from sqlglot import exp  # noqa: PLC0415

    with pytest.raises(Invalid) as refusal:
        condition(one("name", "eq", "1"), [Column("name", "text", exp.null())], "postgres", named="f")
    assert refusal.value.code == "masked-column"


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [("id", "x", "an integer"), ("id", "9999999999", "an integer"), ("price", "1e", "a number")],
)
def test_a_value_that_does_not_fit_names_the_column_and_what_it_takes(column: str, value: str, expected: str) -> None:
    written = condition(one(column, "eq", value), COLUMNS, "postgres", named="f")
    with pytest.raises(Invalid, match=f"column {column} takes {expected}"):
        written.filled()


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
HOSTILE = st.one_of(
    TEXTS,
    st.sampled_from(["' OR 1=1 --", "$1", "\x02f0\x03", "%", "*", '"', "\\", "'); DROP TABLE t; --", "/*!1*/", "{}"]),
)


@given(HOSTILE)
def test_every_text_survives_both_grammars_as_it_is(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert native(("or", f'(name.eq."{quoted}",id.eq.1)')) == Either((one("name", "eq", text), one("id", "eq", "1")))
    assert native(("name", f'eq."{quoted}"')) == one("name", "eq", text)
    assert native(("name", f'in.("{quoted}",x)')) == one("name", "in", (text, "x"))
    escaped = text.replace("'", "''")
    assert parse_filter_text(f"name = '{escaped}'") == one("name", "eq", text)


@given(st.lists(HOSTILE, min_size=1, max_size=4), st.sampled_from(DIALECTS), st.data())
def test_no_value_becomes_text_of_sql(texts: list[str], dialect: Dialect, data: st.DataObject) -> None:
    operators = ["eq", "neq", "like", "ilike", "contains", "starts", "ends", "isdistinct"]
    parts = [one("name", data.draw(st.sampled_from(operators)), text) for text in texts]
    asked = Every((*parts, one("name", "in", tuple(texts)), Condition(Operand("tags", ("k",)), "eq", texts[0])))
    written = condition(asked, COLUMNS, dialect, named="f")
    same_shape = condition(_replaced(asked), COLUMNS, dialect, named="f")
    text, slots = numbered(sqlglot_dialect(dialect).generate(written.expression, identify=True), dialect)
    assert text == numbered(sqlglot_dialect(dialect).generate(same_shape.expression, identify=True), dialect)[0]
    assert shape(asked) == shape(_replaced(asked))
    assert list(slots) == [blank.slot for blank in written.blanks]
    assert len(written.filled()) == len(list(values(asked)))


def _replaced(asked: Every) -> Every:
    """The same filter with harmless values."""
    parts = [
        Condition(part.operand, part.operator, ("x",) * len(part.value) if isinstance(part.value, tuple) else "x")
        for part in asked.parts
        if isinstance(part, Condition)
    ]
    return Every(tuple(parts))


@given(TEXTS)
def test_a_contained_text_is_no_pattern(text: str) -> None:
    import sqlite3  # noqa: PLC0415

    written = condition(one("name", "contains", text), COLUMNS, "sqlite", named="f")
    sql, slots = numbered(sqlglot_dialect("sqlite").generate(written.expression, identify=True), "sqlite")
    values_ = written.filled()
    bound = [values_[name] for name in slots]
    connection = sqlite3.connect(":memory:")
    held = "before" + text + "after"
    assert connection.execute(
        f"WITH t(name) AS (SELECT ?) SELECT count(*) FROM t WHERE {sql}", [held, *bound]
    ).fetchone() == (1,)
    if text and text not in "nothing alike":
        other = connection.execute(
            f"WITH t(name) AS (SELECT ?) SELECT count(*) FROM t WHERE {sql}", ["nothing alike", *bound]
        )
        assert other.fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("key", ["it's", 'a"b', "a\\b", "a`b", "a\nb", "$", "a]b", "*"])
def test_a_json_key_that_would_need_escaping_is_refused(key: str) -> None:
    for dialect in DIALECTS:
        with pytest.raises(Invalid):
            condition(Condition(Operand("tags", (key,)), "eq", "x"), COLUMNS, dialect, named="f")
