"""The parts of writing that need no engine: approvals, ETags, requests, and the last look at a statement."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from pierhead.core.errors import Invalid, PierheadError
from pierhead.sdk.governed import approvals
from pierhead.sdk.governed.policy import Columns
from pierhead.sdk.sqlguard import Column, PermittedTable, SqlRefused, View, Writing, finished_write
from pierhead.servers.sql.etags import etag, matches
from pierhead.servers.sql.writes import (
    DeleteRequest,
    InsertRequest,
    KeyedRequest,
    WriteOptions,
    Written,
    changes_or_rows,
    checked,
    digest,
)

TABLE = PermittedTable("main", "lines", (Column("note"),))
VIEW = View("sqlite", "", "main", (TABLE,))


@pytest.mark.parametrize(
    ("written", "operation", "asked"),
    [
        (None, "create", "none"),
        (None, "update", "approve"),
        (None, "delete", "approve"),
        ("none", "delete", "none"),
        ("four-eyes", "create", "four-eyes"),
        ({"update": "none"}, "update", "none"),
        ({"update": "none"}, "delete", "approve"),  # what is left out keeps its default
        ("approve if affected > 10", "update", "none"),
    ],
)
def test_the_class_before_a_write_is_the_policys_or_that_of_the_effect(
    written: approvals.Written, operation: approvals.WriteOperation, asked: str
) -> None:
    assert approvals.before(written, operation) == asked


def test_a_count_asks_only_above_its_number() -> None:
    approvals.ask_by_count("approve if affected > 10", "update", 10)
    approvals.ask_by_count("none", "update", 1000)
    approvals.ask_by_count(None, "update", 1000)  # asked for before
    with pytest.raises(PierheadError) as asked:
        approvals.ask_by_count("approve if affected > 10", "update", 11)
    assert asked.value.code == "approval-required"


def test_of_several_operations_the_strictest_class_is_asked_and_of_none_it_is_denied() -> None:
    assert approvals.strictest(["none", "four-eyes", "confirm"]) == "four-eyes"
    assert approvals.strictest([]) == "deny"


@pytest.mark.parametrize(
    ("columns", "written"),
    [
        (Columns(), {"a", "b", "c"}),
        (Columns(exclude=["a"]), {"b", "c"}),
        (Columns(mask={"a": "last4"}), {"b", "c"}),
        (Columns(mask={"a": "last4"}, write=["a"]), {"a"}),
        (Columns(exclude=["a"], write=["a", "b"]), {"b"}),
        (Columns(include=["a"], write=["b"]), set()),
        (Columns(write=[]), set()),
    ],
)
def test_a_column_that_does_not_exist_for_a_role_is_never_written(columns: Columns, written: set[str]) -> None:
    assert {name for name in "abc" if columns.may_write(name)} == written


cells = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.binary(), st.decimals(allow_nan=False))
rows = st.lists(cells, min_size=2, max_size=2)


@given(rows, rows)
def test_rows_that_differ_have_other_etags(one: list[object], other: list[object]) -> None:
    names = ["a", "b"]
    same = [(type(cell), cell) for cell in one] == [(type(cell), cell) for cell in other]
    if same:
        assert etag(names, one) == etag(names, other)
    elif [str(cell) for cell in one] != [str(cell) for cell in other]:
        assert etag(names, one) != etag(names, other)


def test_an_etag_looks_at_cells_whole_and_tells_where_one_ends() -> None:
    names = ["a", "b"]
    assert etag(names, ["x" * 600, 1]) != etag(names, ["x" * 600 + "y", 1])
    assert etag(names, ["1", 2]) != etag(names, [1, "2"])
    assert etag(names, ["a;1:b", ""]) != etag(names, ["a", ";1:b"])
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert etag(names, [Decimal("1.10"), moment]) == etag(names, [Decimal("1.10"), moment])


@pytest.mark.parametrize(
    ("header", "holds"),
    [('"t"', True), ("t", True), ("*", True), ('"x", "t"', True), ('W/"t"', False), ('"x"', False), ("", False)],
)
def test_if_match_compares_strongly(header: str, holds: bool) -> None:
    assert matches(header, '"t"') is holds


def test_the_order_of_members_makes_no_other_body_and_anything_else_does() -> None:
    def asked(row: dict[str, object], key: str = "k") -> str:
        return digest(InsertRequest("t", [row], options=WriteOptions(idempotency_key=key)), "role", "1")

    assert asked({"a": 1, "b": 2}) == asked({"b": 2, "a": 1}, "another key")
    assert asked({"a": 1}) != asked({"a": "1"})
    one = InsertRequest("t", [{"a": 1}])
    assert digest(one, "role", "1") != digest(one, "role", "2")
    assert digest(KeyedRequest("t", [{"a": 1}]), "r", "1") != digest(one, "r", "1")


def test_what_is_kept_for_a_key_is_what_was_answered() -> None:
    written = Written(1, 0, ("id",), [[1]], [("id", "int")], [[1]], dry_run=False, etag='"x"')
    again = Written.remembered(written.kept())
    assert again.replayed
    assert again.kept() != written.kept()
    assert (again.keys, again.rows, again.columns, again.etag) == ([[1]], [[1]], [("id", "int")], '"x"')


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (DeleteRequest("t", None), "bad-filter"),
        (InsertRequest("t", []), "nothing-to-write"),
        (InsertRequest("t", [{}]), "nothing-to-write"),
        (KeyedRequest("t", [{"a": 1}] * 3, options=WriteOptions(max_affected=2)), "too-many-rows"),
        (InsertRequest("t", [{"a": 1}], options=WriteOptions(max_affected=0)), "bad-value"),
        (InsertRequest("t", [{"a": 1}], options=WriteOptions(idempotency_key="x" * 256)), "bad-idempotency-key"),
        (InsertRequest("t", [{"a": 1}], options=WriteOptions(idempotency_key="\n")), "bad-idempotency-key"),
    ],
)
def test_a_request_that_means_nothing_is_refused_before_any_table(
    request_: InsertRequest | KeyedRequest | DeleteRequest, code: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        checked(request_)
    assert refusal.value.code == code


def test_an_update_is_one_of_two() -> None:
    assert changes_or_rows({"a": 1}, "id = 1", []) == {"a": 1}
    assert changes_or_rows({}, "", [{"id": 1}]) == [{"id": 1}]
    for changes, where, rows_ in (({}, "", []), ({"a": 1}, "", [{"id": 1}]), ({}, "id = 1", [{"id": 1}])):
        with pytest.raises(Invalid):
            changes_or_rows(changes, where, rows_)


def _delete(where: exp.Expr | None, table: str = "lines") -> exp.Expr:
    place = exp.Table(this=exp.to_identifier(table, quoted=True), db=exp.to_identifier("main", quoted=True))
    return exp.Delete(this=place, where=exp.Where(this=where) if where is not None else None)


def test_a_statement_that_does_more_than_it_says_is_not_written() -> None:
    note = exp.EQ(this=exp.column("note"), expression=exp.Literal.number(1))
    assert finished_write(Writing(_delete(note), "delete", TABLE), VIEW).sql.startswith("DELETE FROM `main`.`lines`")
    other = exp.In(this=exp.column("note"), query=exp.select("token").from_("main.secrets").subquery())
    for tree, kind in (
        (_delete(None), "delete"),
        (_delete(note, "secrets"), "delete"),
        (_delete(other), "delete"),
        (_delete(note), "update"),
        (exp.select("note").from_("main.lines"), "delete"),
    ):
        with pytest.raises(SqlRefused):
            finished_write(Writing(tree, kind, TABLE), VIEW)
