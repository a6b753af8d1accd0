"""Row rules hold in every part of a structured read: rows, related rows, inner relations, counts, pages."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.related_shops import READ, ROLES, load
from tests.integration.test_sql_reads import CALLER, Reading, opened, select

from pierhead.core.claims import parse_claims
from pierhead.core.identity import Caller, User
from pierhead.sdk import Forbidden
from pierhead.sdk.governed.reads import FOR_PROGRAMS, Page
from pierhead.servers.sql.select_native import parse_read

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

RULED = {**READ, "rows": "status.in.(${claims.status},new)"}
TABLES: dict[str, Any] = {**ROLES["reader"]["tables"], "orders": RULED}
PAID = Caller(User("https://memory.example", "ann", frozenset(), parse_claims({"status": "paid"})), "ide", "test", "c")


@pytest.mark.parametrize("engine", ["sqlite", "duckdb", "postgres"])
async def test_rows_that_a_rule_hides_are_nowhere(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    place = request.getfixturevalue("postgres_url") if engine == "postgres" else tmp_path
    reading = await opened(load(engine, place), {"reader": {"tables": TABLES}})
    page = await read(reading, "orders", select("status"), count="exact")
    assert {row[0] for row in page.rows} == {"paid", "new"}
    assert page.total == 4
    assert (await read(reading, "orders", ("limit", "1"), count="estimated")).total == 4
    inner = await read(reading, "people", select("name,orders!inner(status)"), ("orders.status", "eq.void"))
    assert inner.rows == []
    related = await read(reading, "people", select("orders(status)"))
    assert "void" not in str(related.rows)
    spread = await read(reading, "lines", select("qty,...orders(status)"), ("region", "eq.s"), ("order", "number"))
    assert [tuple(row) for row in spread.rows] == [(7, "paid"), (2, None)]
    with pytest.raises(Forbidden, match="status"):
        await reading.lane.read(CALLER, parse_read("people", [select("orders(status)")]), FOR_PROGRAMS)
    await reading.source.close()


async def read(reading: Reading, table: str, *pairs: tuple[str, str], count: str = "") -> Page:

    request = replace(parse_read(table, pairs), count=count)  # type: ignore[arg-type]
    return await reading.lane.read(PAID, request, FOR_PROGRAMS)
