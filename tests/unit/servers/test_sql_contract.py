"""A schema against the one that was locked: what is additive, what breaks, and what is offered of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pierhead.core.errors import Misconfigured
from pierhead.sdk.governed.catalog import Catalog, ForeignKey, StoredColumn, StoredTable
from pierhead.sdk.governed.contract import Contract, Mode, differences, held

ID = StoredColumn("id", "INTEGER", is_nullable=False, is_key=True)
NAME = StoredColumn("name", "TEXT", is_nullable=True, is_key=False)
ORDERS = StoredTable("main", "orders", "table", (ID, NAME), unique=(("name",),))
SOLD = StoredTable("main", "sold", "view", (NAME,))
LOCKED = Catalog("sqlite", "", "main", (ORDERS, SOLD))


def with_orders(table: StoredTable) -> Catalog:
    return replace(LOCKED, tables=(table, SOLD))


def with_column(column: StoredColumn) -> Catalog:
    return with_orders(replace(ORDERS, columns=(ID, NAME, column)))


def said(catalog: Catalog) -> list[tuple[str, str, str]]:
    changes = differences(Contract.of(LOCKED, Mode.WARN), catalog)
    return [(change.kind, change.table, change.said) for change in changes]


def test_the_same_schema_differs_in_nothing() -> None:
    assert said(LOCKED) == []
    assert said(with_orders(replace(ORDERS, rows_estimate=7, comment="new"))) == []


@pytest.mark.parametrize(
    ("catalog", "change"),
    [
        (replace(LOCKED, tables=(ORDERS,)), ("breaking", "sold", "view is gone")),
        (
            replace(LOCKED, tables=(ORDERS, SOLD, replace(ORDERS, schema="other"))),
            ("additive", "other.orders", "table is new"),
        ),
        (with_orders(replace(ORDERS, columns=(ID,))), ("breaking", "orders", "column name is gone")),
        (
            with_orders(replace(ORDERS, columns=(ID, replace(NAME, type="BLOB")))),
            ("breaking", "orders", "column name was TEXT, is BLOB"),
        ),
        (
            with_orders(replace(ORDERS, columns=(ID, replace(NAME, is_nullable=False)))),
            ("breaking", "orders", "column name may no longer be null"),
        ),
        (
            with_orders(replace(ORDERS, columns=(replace(ID, is_key=False), NAME))),
            ("breaking", "orders", "column id is no longer part of the key"),
        ),
        (with_orders(replace(ORDERS, kind="view")), ("breaking", "orders", "a table became a view")),
        (with_column(replace(NAME, name="note")), ("additive", "orders", "column note is new")),
        (
            with_column(StoredColumn("note", "TEXT", is_nullable=False, is_key=False)),
            ("breaking", "orders", "column note is new, and every new row needs it"),
        ),
        (
            with_column(StoredColumn("note", "TEXT", is_nullable=False, is_key=False, has_default=True)),
            ("additive", "orders", "column note is new"),
        ),
    ],
)
def test_each_change_is_named_and_judged(catalog: Catalog, change: tuple[str, str, str]) -> None:
    assert said(catalog) == [change]


ADDED = replace(NAME, name="note")
CHANGED = replace(
    LOCKED,
    tables=(
        replace(
            ORDERS,
            columns=(ID, NAME, ADDED),
            unique=(("name",), ("note",)),
            foreign_keys=(ForeignKey("f", ("note",), "main", "sold", ("name",)),),
        ),
        replace(SOLD, columns=(replace(NAME, type="BLOB"),)),
        replace(ORDERS, name="new"),
    ),
)


def test_what_was_added_is_hidden_until_it_is_accepted() -> None:
    offered = held(Contract.of(LOCKED, Mode.WARN), CHANGED)
    assert [table.name for table in offered.catalog.tables] == ["orders", "sold"]
    orders = offered.catalog.by_name["main", "orders"]
    assert (orders.columns, orders.unique, orders.foreign_keys) == ((ID, NAME), (("name",),), ())
    assert offered.drift(lambda _: True) == "breaking"
    assert offered.drift(lambda table: table.name == "orders") == "additive"
    assert offered.drift(lambda _: False) == ""
    accepted = held(Contract.of(CHANGED, Mode.WARN), CHANGED)
    assert (accepted.catalog, accepted.changes) == (CHANGED, ())


def test_strict_withholds_what_broke_and_nothing_else() -> None:
    offered = held(Contract.of(LOCKED, Mode.STRICT), CHANGED)
    assert [table.name for table in offered.catalog.tables] == ["orders"]
    assert offered.withheld == {("main", "sold")}


@pytest.mark.parametrize("make", [lambda: None, lambda: Contract.of(LOCKED, Mode.OFF)])
def test_without_a_contract_the_schema_is_what_it_is(make: Callable[[], Contract | None]) -> None:
    offered = held(make(), CHANGED)
    assert (offered.catalog, offered.changes) == (CHANGED, ())


def test_a_contract_reads_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "contracts" / "shop.json"
    assert Contract.read(file) is None
    Contract.of(LOCKED, Mode.STRICT).write(file)
    assert Contract.read(file) == Contract.of(LOCKED, Mode.STRICT)
    file.write_text('{"mode": "strict"}')
    with pytest.raises(Misconfigured) as fault:
        Contract.read(file)
    assert fault.value.code == "bad-contract"
