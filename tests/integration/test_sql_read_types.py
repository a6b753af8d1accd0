"""Types that one engine alone has, masks, and values at the edges: through the structured lane, on real engines."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.integration.related_shops import READ, ROLES, load
from tests.integration.sql_shops import DuckdbShop, PostgresShop
from tests.integration.test_sql_reads import Reading, opened, select

from pierhead.sdk import Invalid

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

KINDS = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE kinds (id bigint PRIMARY KEY, tags text[], numbers integer[], doc jsonb, plain json, feeling mood,
  address inet, span int4range, at timestamptz, day timestamp, token uuid, amount numeric(12,2), ratio real,
  raw bytea, hour time, body text, length interval);
INSERT INTO kinds VALUES
 (1, '{a,"b c"}', '{1,2}', '{"k": {"n": 5}, "l": [1]}', '{"a": 1}', 'happy', '10.0.0.1', '[1,5)',
  '2026-01-02T03:04:05Z', '2026-01-02T03:04:05', '00000000-0000-0000-0000-000000000001', 10.50, 0.5, '\\x00ff', '12:30',
  'the wind blows over the hills', '2 hours'),
 (9007199254740993, '{}', NULL, 'null', NULL, 'sad', 'fe80::1', 'empty',
  NULL, NULL, NULL, -1, NULL, NULL, NULL, '', NULL);
"""


@pytest.fixture
async def kinds(request: pytest.FixtureRequest) -> AsyncIterator[Reading]:
    shop = load("postgres", request.getfixturevalue("postgres_url"))
    assert isinstance(shop, PostgresShop)
    shop._psql(shop.url, KINDS)
    made = await opened(shop, {"reader": {"tables": {"kinds": READ}}})
    yield made
    await made.source.close()


async def test_types_of_postgresql_compare_as_what_they_are(kinds: Reading) -> None:
    for column, value, count in (
        ("tags", "cs.{a}", 1),
        ("tags", 'cs.{"b c",a}', 1),
        ("tags", 'cd.{a,"b c",d}', 2),
        ("tags", "ov.{x,a}", 1),
        ("tags", 'eq.{a,"b c"}', 1),
        ("numbers", "cs.{2}", 1),
        ("doc", 'cs.{"l":[1]}', 1),
        ("doc", 'cd.{"k":{"n":5},"l":[1,2]}', 1),
        ("doc->k->n", "gt.4", 1),
        ("doc->k->>n", "eq.5", 1),
        ("plain->>a", "eq.1", 1),
        ("plain->a", "eq.1", 1),
        ("feeling", "eq.happy", 1),
        ("feeling", "gt.sad", 1),
        ("feeling", "in.(sad,ok)", 1),
        ("feeling", "like.hap*", 1),
        ("address", "eq.10.0.0.1", 1),
        ("span", "cs.[2,3)", 1),
        ("span", "ov.[4,9)", 1),
        ("at", "eq.2026-01-02T04:04:05+01:00", 1),
        ("at", "lt.2026-01-02", 0),
        ("day", "gte.2026-01-02 03:04:05", 1),
        ("token", "eq.00000000-0000-0000-0000-000000000001", 1),
        ("amount", "eq.10.5", 1),
        ("ratio", "gt.0.25", 1),
        ("raw", "eq.\\x00ff", 1),
        ("hour", "eq.12:30", 1),
        ("length", "gt.1 hour", 1),
        ("id", "eq.9007199254740993", 1),
        ("body", "fts(english).wind", 1),
        ("body", "plfts.wind hills", 1),
        ("body", "phfts(english).wind blows", 1),
        ("body", 'wfts(english)."wind -rain"', 1),
        ("tags", "is.null", 0),
    ):
        page = await kinds.page("kinds", (column, value), select("id"))
        assert len(page.rows) == count, (column, value)


@pytest.mark.parametrize("column", ["feeling", "address", "span", "length"])
async def test_a_value_that_no_type_of_the_engine_takes_is_a_plain_refusal(kinds: Reading, column: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await kinds.page("kinds", (column, "eq.certainly not"))
    assert "certainly" not in f"{refusal.value.message}{refusal.value.hint}"


async def test_every_type_of_postgresql_comes_within_a_page_and_within_json(kinds: Reading) -> None:
    first, second = await kinds.rows("kinds", ("order", "id"))
    assert (first["amount"], first["at"], second["id"]) == ("10.50", "2026-01-02T03:04:05+00:00", "9007199254740993")
    ordered = await kinds.rows("kinds", ("order", "feeling,at"), ("limit", "1"))
    assert ordered[0]["feeling"] == "sad"


async def test_pages_go_on_after_keys_of_every_kind(kinds: Reading) -> None:
    for order in (
        "feeling",
        "at",
        "token.desc",
        "amount",
        "raw",
        "hour",
        "day.desc",
        "address",
        "span",
        "length",
        "doc",
    ):
        first = await kinds.page("kinds", ("order", order), ("limit", "1"), select("id"))
        assert first.next_cursor is not None, order
        second = await kinds.page("kinds", ("order", order), ("limit", "1"), select("id"), cursor=first.next_cursor)
        assert sorted([first.rows[0][0], second.rows[0][0]]) == [1, 9007199254740993], order


async def test_related_rows_hold_cells_as_pages_do(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Decimals, large integers, times and bytes read alike inside related rows and outside."""
    tables = """
    CREATE TABLE one (id integer PRIMARY KEY);
    CREATE TABLE cell (id integer PRIMARY KEY, one_id integer REFERENCES one(id), amount numeric(12,2), large bigint,
      small integer, moment timestamp, zoned timestamp with time zone, day date,
      ok boolean, ratio double precision, raw {raw});
    INSERT INTO one VALUES (1);
    INSERT INTO cell VALUES (1, 1, 10.50, 9007199254740993, 7, '2026-01-02 03:04:05',
      '2026-01-02 03:04:05+00', '2026-01-02', true, 0.5, {bytes}),
      (2, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    """
    postgres = load("postgres", request.getfixturevalue("postgres_url"))
    assert isinstance(postgres, PostgresShop)
    postgres._psql(postgres.url, tables.format(raw="bytea", bytes="'\\x00ff'"))
    duck = DuckdbShop(tmp_path / "cells.duckdb")
    with duckdb.connect(str(duck.file)) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(tables.format(raw="blob", bytes="'\\x00\\xff'::blob"))
    for shop in (postgres, duck):
        reading = await opened(shop, {"reader": {"tables": {"one": READ, "cell": READ}}})
        outside = await reading.rows("cell", ("order", "id"))
        inside = (await reading.rows("one", select("cell(*)")))[0]["cell"]
        for own, related in zip(outside, inside, strict=True):
            assert {**own, "zoned": None} == {**related, "zoned": None}
        await reading.source.close()


async def test_masked_columns_are_shown_and_nothing_else(tmp_path: Path) -> None:
    people = {
        "operations": ["read"],
        "columns": {"exclude": ["secret"], "mask": {"name": "last4", "region": "const:there"}},
    }
    tables: dict[str, Any] = {**ROLES["reader"]["tables"], "people": people}
    reading = await opened(load("sqlite", tmp_path), {"reader": {"tables": tables}})
    rows = await reading.rows("orders", select("number,people(name,region)"), ("limit", "1"))
    assert rows == [{"number": 1, "people": {"name": "****", "region": "there"}}]
    for pairs in (
        [("name", "eq.Ada")],
        [("order", "name")],
        [select("name,count()")],
        [select("max(name)")],
        [("filter", "name STARTS WITH 'A'")],
    ):
        with pytest.raises(Invalid) as refusal:
            await reading.page("people", *pairs)
        assert refusal.value.code == "masked-column"
    with pytest.raises(Invalid) as inner:
        await reading.page("orders", select("number,people(region)"), ("people.name", "like.A*"))
    assert inner.value.code == "masked-column"
    await reading.source.close()
