"""The structured lane on real engines: one shop, one set of requests, the same answers everywhere."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from tests.integration.related_shops import CANARY, ROLES, load
from tests.integration.sql_shops import CALLER, Shop

from pierhead.sdk import Invalid
from pierhead.sdk.governed.cells import plain
from pierhead.sdk.governed.policy import parse_policy
from pierhead.sdk.governed.reads import FOR_PROGRAMS, Ceiling, Page, ReadRequest
from pierhead.sdk.governed.source import Source
from pierhead.servers.sql.cursors import Cursors
from pierhead.servers.sql.hashed_cells import Digests
from pierhead.servers.sql.read_lane import ReadLane
from pierhead.servers.sql.select_native import parse_read

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


@dataclass(frozen=True)
class Reading:
    """A source under some roles, and its lane."""

    source: Source
    lane: ReadLane

    async def page(self, table: str, *pairs: tuple[str, str], ceiling: Ceiling = FOR_PROGRAMS, **changes: Any) -> Page:
        request: ReadRequest = replace(parse_read(table, pairs), **changes)
        return await self.lane.read(CALLER, request, ceiling)

    async def rows(self, table: str, *pairs: tuple[str, str]) -> list[dict[str, Any]]:
        page = await self.page(table, *pairs)
        return [
            {
                field.name: orjson.loads(cell) if field.is_json and isinstance(cell, str) else plain(cell)
                for field, cell in zip(page.fields, row, strict=True)
            }
            for row in page.rows
        ]


@pytest.fixture(scope="module", params=["sqlite", "duckdb", "postgres", "mysql"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    if request.param == "postgres":
        return load("postgres", request.getfixturevalue("postgres_url"))
    if request.param == "mysql":
        return load("mysql", request.getfixturevalue("mariadb_url"))
    return load(request.param, tmp_path_factory.mktemp("related"))


async def opened(shop: Shop, roles: Mapping[str, Any] = ROLES) -> Reading:
    source = Source(shop.engine(), parse_policy(roles))
    await source.open()
    return Reading(source, ReadLane(source, Cursors(b"k" * 32), Digests(lambda: b"d" * 32)))


@pytest.fixture
async def reading(shop: Shop) -> AsyncIterator[Reading]:
    made = await opened(shop)
    yield made
    await made.source.close()


def select(text: str) -> tuple[str, str]:
    return ("select", text)


@pytest.mark.parametrize(
    ("table", "pairs", "expected"),
    [
        ("orders", [("total", "gte.30"), select("region,number")], [["n", 1], ["s", 1], ["s", 2]]),
        ("orders", [("total", "is.null"), select("number")], [[2]]),
        ("orders", [("total", "not.is.null"), ("status", "neq.paid"), select("number")], [[2], [1]]),
        (
            "orders",
            [("or", "(status.eq.void,and(region.eq.n,total.eq.30))"), select("region,number")],
            [["n", 1], ["s", 2]],
        ),
        ("orders", [("total", "isdistinct.30"), select("region,number")], [["n", 2], ["s", 1], ["w", 1]]),
        ("orders", [("number", "in.(2,3)"), select("region")], [["n"], ["s"]]),
        ("orders", [("number", "in.()"), select("region")], []),
        ("people", [("name", "like.*d*"), select("name")], [["Ada"]]),
        ("people", [("name", "ilike.*D*"), select("name")], [["Ada"], ["Di"]]),
        ("people", [("name", "like(any).{A*,B*}"), select("name")], [["Ada"], ["Bo"]]),
        ("people", [("born", "gt.1986-01-01"), select("name")], [["Ada"], ["Di"]]),
        ("people", [("filter", "name STARTS WITH 'C' OR name CONTAINS 'i'"), select("name")], [["Cy"], ["Di"]]),
        ("people", [("filter", "born BETWEEN '1985-01-01' AND '1990-12-31'"), select("name")], [["Ada"], ["Bo"]]),
        ("products", [("filter", '"odd ""col." CONTAINS \'%_\''), select("code")], [["b,2"]]),
        ("products", [('"select"', "eq.first"), select('code,"select"')], [["a-1", "first"]]),
        ("products", [('"odd \\"col."', "eq.it's"), select("code")], [["a-1"]]),
        ("products", [("code", 'in.("b,2","c(3)")'), select("code")], [["b,2"], ["c(3)"]]),
        ("products", [("is_active", "is.true"), select("code")], [["a-1"], ["c(3)"]]),
        ("products", [("is_active", "eq.false"), select("code")], [["b,2"]]),
        ("products", [("tags->>color", "eq.blue"), select("code")], [["b,2"]]),
        ("products", [("tags->size", "gt.6"), select("code")], [["b,2"]]),
        ("products", [("tags->size", "lt.11"), select("code")], [["a-1"]]),
        ("products", [("tags->hot", "eq.true"), select("code")], [["a-1"]]),
        ("products", [("tags->in->deep->>1", "eq.2"), select("code")], [["a-1"]]),
        ("products", [select("code,color:tags->>color"), ("limit", "2")], [["a-1", "red"], ["b,2", "blue"]]),
        ("products", [select("price::text"), ("code", "eq.a-1")], [["10"]]),
        (
            "orders",
            [("order", "total.desc.nullslast,region"), select("region,number")],
            [["s", 1], ["n", 1], ["s", 2], ["w", 1], ["n", 2]],
        ),
        ("orders", [("order", "total"), select("number,total"), ("limit", "1")], [[1, 5]]),
        ("orders", [("order", "total.desc"), select("number,total"), ("limit", "1")], [[2, None]]),
        ("orders", [("offset", "3"), select("region,number")], [["s", 2], ["w", 1]]),
        (
            "orders",
            [select("status,count(),total.sum()"), ("order", "status")],
            [["new", 2, 5], ["paid", 2, 100], ["void", 1, 30]],
        ),
        (
            "orders",
            [select("status,n:count(),total.max()"), ("having", "n.gt.1"), ("order", "n.desc,status")],
            [["new", 2, 5], ["paid", 2, 70]],
        ),
        ("orders", [select("status"), ("limit", "0")], []),
        ("orders", [select("count()")], [[5]]),
        ("orders", [select("avg(total)"), ("status", "eq.paid")], [[50.0]]),
        (
            "orders",
            [select("region,total.sum()"), ("having", "sum.gte.30,count().gt.1"), ("order", "region")],
            [["n", 30], ["s", 100]],
        ),
    ],
)
async def test_a_request_has_the_same_answer_on_every_engine(
    reading: Reading, table: str, pairs: list[tuple[str, str]], expected: list[list[Any]]
) -> None:
    answered = [list(row.values()) for row in await reading.rows(table, *pairs)]
    assert [
        [int(cell) if isinstance(cell, str) and cell.isdigit() and cell != "10" else cell for cell in row]
        for row in answered
    ] == expected


async def test_every_permitted_column_is_given_and_no_other(reading: Reading) -> None:
    rows = await reading.rows("people")
    assert rows[0] == {"person_id": 1, "name": "Ada", "region": "north", "manager_id": None, "born": "1990-05-01"}
    assert CANARY not in str(rows)


async def test_related_rows_come_with_their_row(reading: Reading) -> None:
    rows = await reading.rows(
        "orders",
        select("region,number,people(name),lines(place,qty,products(code,tags,labels(word)))"),
        ("lines.order", "place.desc"),
        ("lines.products.labels.order", "word.desc"),
        ("region", "eq.n"),
    )
    if reading.source.ground.catalog.dialect == "mysql":  # MariaDB's JSON is text with a check
        for line in rows[0]["lines"]:
            line["products"]["tags"] = orjson.loads(line["products"]["tags"])
    assert rows == [
        {
            "region": "n",
            "number": 1,
            "people": {"name": "Ada"},
            "lines": [
                {
                    "place": 2,
                    "qty": 1,
                    "products": {"code": "b,2", "tags": {"color": "blue", "size": 12}, "labels": [{"word": "sale"}]},
                },
                {
                    "place": 1,
                    "qty": 3,
                    "products": {
                        "code": "a-1",
                        "tags": {"color": "red", "size": 5, "in": {"deep": [1, 2]}, "hot": True},
                        "labels": [{"word": "sale"}, {"word": "new"}],
                    },
                },
            ],
        },
        {"region": "n", "number": 2, "people": {"name": "Ada"}, "lines": []},
    ]


async def test_related_rows_have_filters_orders_and_limits_of_their_own(reading: Reading) -> None:
    rows = await reading.rows(
        "people",
        select("name,orders(number,total)"),
        ("orders.total", "gt.4"),
        ("orders.order", "total.desc"),
        ("orders.limit", "1"),
        ("order", "name"),
    )
    assert [row["orders"] for row in rows] == [
        [{"number": 1, "total": 30}],
        [{"number": 1, "total": 70}],
        [{"number": 2, "total": 30}],
        [],
    ]


async def test_an_inner_relation_drops_rows_without_any(reading: Reading) -> None:
    rows = await reading.rows("people", select("name,orders!inner(number)"), ("orders.status", "eq.paid"))
    assert [row["name"] for row in rows] == ["Ada", "Bo"]
    nested = await reading.rows(
        "people", select("name,orders!inner(lines!inner(products!inner()))"), ("orders.lines.products.code", "eq.b,2")
    )
    assert [row["name"] for row in nested] == ["Ada"]
    counted = await reading.page("people", select("name,orders!inner(number)"), ("limit", "1"), count="exact")
    assert counted.total == 3


async def test_a_spread_relation_stands_among_the_columns(reading: Reading) -> None:
    rows = await reading.rows("lines", select("qty,...orders(status,...people(name))"), ("product_code", "eq.a-1"))
    assert rows == [
        {"qty": 3, "status": "paid", "name": "Ada"},
        {"qty": 7, "status": "paid", "name": "Bo"},
    ]
    assert await reading.rows("notes", select("body,...people(name)"), ("body", "eq.two")) == [
        {"body": "two", "name": None}
    ]


async def test_a_table_related_to_itself_is_reached_both_ways(reading: Reading) -> None:
    rows = await reading.rows(
        "people", select("name,boss:manager_id(name),staff:people!manager_id(name)"), ("order", "name"), ("limit", "2")
    )
    assert rows == [
        {"name": "Ada", "boss": None, "staff": [{"name": "Bo"}, {"name": "Cy"}]},
        {"name": "Bo", "boss": {"name": "Ada"}, "staff": [{"name": "Di"}]},
    ]


async def test_a_relation_to_one_is_an_object_from_both_sides(reading: Reading) -> None:
    rows = await reading.rows("people", select("name,passports(number)"), ("person_id", "lte.2"))
    assert rows == [{"name": "Ada", "passports": {"number": "P-1"}}, {"name": "Bo", "passports": None}]


async def test_related_rows_are_counted_in_groups(reading: Reading) -> None:
    rows = await reading.rows(
        "people", select("name,orders(status,n:count())"), ("name", "eq.Ada"), ("orders.order", "status")
    )
    assert rows == [{"name": "Ada", "orders": [{"status": "new", "n": 1}, {"status": "paid", "n": 1}]}]


@pytest.mark.parametrize("relation", ["vault", "nowhere", "secrets"])
async def test_a_hidden_relation_is_as_unknown_as_one_that_is_not_there(reading: Reading, relation: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await reading.page("people", select(f"name,{relation}(*)"))
    assert refusal.value.code == "unknown-relation"
    assert "vault" not in refusal.value.hint


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("secret", "eq.x")], "unknown-column"),
        ([select("secret")], "unknown-column"),
        ([("order", "secret")], "unknown-column"),
        ([select("name,max(secret)")], "unknown-column"),
        ([("person_id", "eq.x")], "bad-value"),
        ([("born", "gt.yesterday")], "bad-value"),
        ([("labels", "cs.{a}")], "unknown-column"),
        ([select("name::regclass")], "bad-filter"),
        ([select("name,name")], "bad-filter"),
        ([select('"a""b":name')], "bad-filter"),
        ([("having", "count().gt.1")], "bad-filter"),
        ([select("*,count()"), ("order", "region"), ("having", "nothing.gt.1")], "bad-filter"),
        ([("name->>k", "eq.x"), ("person_id->>k", "eq.1")], "bad-filter"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_code(
    reading: Reading, pairs: list[tuple[str, str]], code: str
) -> None:
    if pairs[0][0] == "born" and reading.source.ground.catalog.dialect == "sqlite":
        return  # a column for dates holds any text there
    with pytest.raises(Invalid) as refusal:
        await reading.page("people", *pairs)
    assert refusal.value.code == code
    assert CANARY not in f"{refusal.value.message} {refusal.value.hint}"


@pytest.mark.parametrize(
    ("table", "order", "size"),
    [
        ("orders", "", 2),
        ("orders", "total.desc,status", 2),
        ("orders", "total.nullsfirst", 1),
        ("orders", "status.desc", 2),
        ("notes", "body", 1),
        ("products", '"odd \\"col.".desc', 1),
        ("people", "born", 1),
        ("people", "born.desc,region", 3),
    ],
)
async def test_pages_by_cursor_give_every_row_once_in_order(
    reading: Reading, table: str, order: str, size: int
) -> None:
    pairs = [("order", order)] if order else []
    whole = (await reading.page(table, *pairs)).rows
    pages: list[Any] = []
    cursor = ""
    while True:
        page = await reading.page(table, *pairs, ("limit", str(size)), cursor=cursor)
        assert len(page.rows) <= size
        pages += page.rows
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert [list(row) for row in pages] == [list(row) for row in whole]


async def test_a_cursor_goes_with_its_request_alone(shop: Shop, reading: Reading) -> None:
    cursor = (await reading.page("orders", ("limit", "1"))).next_cursor
    assert cursor is not None
    changed = {**ROLES, "reader": {**ROLES["reader"], "limits": {"rows": 5}}}
    other = await opened(shop, changed)
    for lane, table, pairs in (
        (reading, "orders", [("status", "eq.paid")]),
        (reading, "lines", []),
        (reading, "orders", [("order", "total")]),
        (other, "orders", []),
    ):
        with pytest.raises(Invalid) as refusal:
            await lane.page(table, *pairs, ("limit", "1"), cursor=cursor)
        assert refusal.value.code == "bad-cursor"
    for forged in ("x", cursor[:-2], "A" + cursor[1:], cursor + "AAAA", "é", "A" * 5_000):
        with pytest.raises(Invalid, match="does not belong"):
            await reading.page("orders", ("limit", "1"), cursor=forged)
    await other.source.close()


async def test_counts_are_of_all_pages(reading: Reading) -> None:
    assert (await reading.page("orders", ("limit", "2"), count="exact")).total == 5
    assert (await reading.page("orders", ("total", "gt.20"), ("limit", "1"), count="exact")).total == 3
    assert (await reading.page("orders", count="exact")).total == 5
    grouped = await reading.page("orders", select("status,count()"), ("order", "status"), ("limit", "1"), count="exact")
    assert grouped.total == 3
    estimated = await reading.page("orders", ("limit", "1"), count="estimated")
    assert estimated.total is not None
    assert estimated.total >= 1


async def test_a_cut_answer_says_so_and_goes_on(reading: Reading) -> None:
    small = Ceiling(default_rows=2, rows=3, bytes=10_000, seconds=5.0, cell=500)
    by_default = await reading.page("orders", ceiling=small)
    assert (len(by_default.rows), by_default.truncated, by_default.next_cursor is None) == (2, "", False)
    by_ceiling = await reading.page("orders", ("limit", "5"), ceiling=small)
    assert (len(by_ceiling.rows), by_ceiling.truncated, by_ceiling.limit) == (3, "rows", 3)
    tiny = Ceiling(default_rows=10, rows=10, bytes=70, seconds=5.0, cell=500)
    by_bytes = await reading.page("orders", ceiling=tiny)
    assert by_bytes.truncated == "bytes"
    assert 0 < len(by_bytes.rows) < 5
    assert by_bytes.next_cursor is not None


async def test_related_rows_too_long_for_an_answer_are_refused(reading: Reading) -> None:
    tiny = Ceiling(default_rows=10, rows=10, bytes=300, seconds=5.0, cell=100)
    with pytest.raises(Invalid) as refusal:
        await reading.page("people", select("notes(body)"), ("person_id", "eq.2"), ceiling=tiny)
    assert refusal.value.code == "too-large"


async def test_one_statement_serves_every_value_of_a_shape(reading: Reading) -> None:
    for number in (1, 2, 3):
        await reading.page("orders", ("number", f"eq.{number}"))
    reads = [key for key in reading.source.ground.verdicts if key[0] == "read"]
    assert len(reads) == 1
    verdict = reading.source.ground.verdicts[reads[0]]
    assert verdict.noted["tables"] == ["orders"]
    assert "orders.number" in verdict.noted["columns"]


async def test_rows_stream_in_batches(reading: Reading) -> None:
    ceiling = Ceiling(default_rows=100, rows=100_000, bytes=10**8, seconds=10.0, cell=10**6)
    batches = [
        batch async for batch in reading.lane.stream(CALLER, parse_read("orders", [select("region,number")]), ceiling)
    ]
    assert [field.name for field in batches[0].fields] == ["region", "number"]
    assert sum(len(batch.rows) for batch in batches) == 5


HOSTILE = (
    "'; DROP TABLE people; --",
    "' OR '1'='1",
    '" OR 1=1',
    "\\",
    "%",
    "*",
    "$1",
    "?",
    "\x02t1_0\x03",
    "{}",
    "%s",
    ":a",
)


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_values_are_only_values(reading: Reading, text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert await reading.rows("people", ("name", f'eq."{quoted}"')) == []
    assert await reading.rows("people", ("name", f'in.("{quoted}")')) == []
    escaped = text.replace("'", "''")
    assert await reading.rows("people", ("filter", f"name CONTAINS '{escaped}'")) == []
    with pytest.raises(Invalid):
        await reading.page("people", (f'"{quoted}"', "eq.x"))
    with pytest.raises(Invalid):
        await reading.page("people", select(f'"{quoted}"'))
    with pytest.raises(Invalid):
        await reading.page("people", ("order", f'"{quoted}"'))
    with pytest.raises(Invalid):
        await reading.page(text)
