"""Select, order and pages as they are written, and what they mean."""

import pytest

from pierhead.sdk import Invalid
from pierhead.sdk.governed.filters import Condition, Operand
from pierhead.sdk.governed.reads import Embed, Ordered, Selected, Selection, read_shape, read_values
from pierhead.servers.sql.select_native import parse_order, parse_read, parse_select

NAME = Selected(Operand("name"))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("*", (Selected(Operand("*")),)),
        ("id, name", (Selected(Operand("id")), NAME)),
        ("total:amount", (Selected(Operand("amount"), "total"),)),
        ("total : amount.sum()", (Selected(Operand("amount", aggregate="sum"), "total"),)),
        (
            "sum(amount),count(*),count()",
            (
                Selected(Operand("amount", aggregate="sum")),
                Selected(Operand("", aggregate="count")),
                Selected(Operand("", aggregate="count")),
            ),
        ),
        ("amount::text", (Selected(Operand("amount"), cast="text"),)),
        ("t:tags->a->>0::integer", (Selected(Operand("tags", ("a", 0)), "t", "integer"),)),
        ('"odd, name","a:b"', (Selected(Operand("odd, name")), Selected(Operand("a:b")))),
    ],
)
def test_columns_are_read(text: str, columns: tuple[Selected, ...]) -> None:
    assert parse_select(text) == (columns, ())


def test_related_rows_are_read() -> None:
    columns, embeds = parse_select("id,lines!inner(qty,product:products!code(name)),...people(name),sales.orders(*)")
    assert columns == (Selected(Operand("id")),)
    product = Embed("products", Selection((NAME,)), "product", "code")
    assert embeds == (
        Embed("lines", Selection((Selected(Operand("qty")),), (product,)), is_inner=True),
        Embed("people", Selection((NAME,)), is_spread=True),
        Embed("sales.orders", Selection()),
    )


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("price.desc.nullslast,id", (Ordered(Operand("price"), True, "last"), Ordered(Operand("id")))),
        ("price desc, id asc", (Ordered(Operand("price"), True), Ordered(Operand("id")))),
        ("tags->>k.nullsfirst", (Ordered(Operand("tags", ("k",)), nulls="first"),)),
        ("amount.sum().desc", (Ordered(Operand("amount", aggregate="sum"), True),)),
        ("count(*) desc", (Ordered(Operand("", aggregate="count"), True),)),
        ('"odd. name".desc', (Ordered(Operand("odd. name"), True),)),
        ("", ()),
    ],
)
def test_orders_are_read(text: str, order: tuple[Ordered, ...]) -> None:
    assert parse_order(text) == order


def test_parameters_of_related_rows_go_to_them() -> None:
    read = parse_read(
        "orders",
        [
            ("select", "id,lines(qty,product:products(name))"),
            ("id", "gt.5"),
            ("lines.qty", "gte.2"),
            ("lines.order", "qty.desc"),
            ("lines.limit", "3"),
            ("lines.product.name", "eq.x"),
            ("limit", "10"),
            ("offset", "20"),
        ],
    )
    lines = read.selection.embeds[0].selection
    product = lines.embeds[0].selection
    assert (read.selection.limit, read.selection.offset, lines.limit) == (10, 20, 3)
    assert lines.order == (Ordered(Operand("qty"), True),)
    assert product.filter == Condition(Operand("name"), "eq", "x")
    assert list(read_values(read)) == ["5", "2", "x"]


def test_requests_that_differ_in_values_alone_share_a_shape() -> None:
    first, second = (parse_read("t", [("id", f"eq.{number}"), ("select", "id")]) for number in (1, 2))
    assert first != second
    assert read_shape(first) == read_shape(second)
    assert hash(read_shape(first)) == hash(read_shape(second))


def test_a_filter_in_words_joins_the_others() -> None:
    read = parse_read("t", [("filter", "name = 'x' OR id > 1"), ("id", "lt.9"), ("having", "count().gt.1")])
    assert list(read_values(read)) == ["9", "x", 1, "1"]


@pytest.mark.parametrize(
    "pairs",
    [
        [("select", "id,")],
        [("select", "lines(qty")],
        [("select", "a(b(c(d(e))))")],
        [("select", "...name")],
        [("select", "id"), ("select", "name")],
        [("limit", "-1")],
        [("limit", "x")],
        [("offset", "99999999999")],
        [("order", "id.up")],
        [("order", ".desc")],
        [("lines.limit", "1")],
    ],
)
def test_what_cannot_be_read_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_read("t", pairs)
    assert refusal.value.code == "bad-filter"
