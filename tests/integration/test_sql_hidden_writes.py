"""Writes and pages as an oracle: a caller guesses at hidden columns and rows by what works and what fails."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.sql_ledgers import WRITES, DuckdbLedger, Governed, Ledger, PostgresLedger, SqliteLedger, state

from pierhead.core.claims import parse_claims
from pierhead.core.errors import Invalid, PierheadError
from pierhead.core.identity import Caller, User
from pierhead.sdk.governed.grammar_native import parse_filter
from pierhead.sdk.governed.reads import FOR_AGENTS, ReadRequest, Selection
from pierhead.servers.sql.cursors import Cursors
from pierhead.servers.sql.hashed_cells import Digests
from pierhead.servers.sql.read_lane import ReadLane
from pierhead.servers.sql.select_native import parse_order, parse_select
from pierhead.servers.sql.writes import DeleteRequest, InsertRequest, KeyedRequest, UpdateRequest, WriteOptions

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

CLAIMS = parse_claims({"cities": ["Aden", "Mali", "Oslo", "Rome", "Lima"], "city": "Aden"})
ANN = Caller(User("https://memory.example", "ann", frozenset({"clerks"}), CLAIMS), "ide", "test", "call-1")
# Dearer than what a caller asks for: an engine that may choose tests the caller's condition first.
COSTLY = "or(" + ",".join(f"city.ilike.*{word}*" for word in ("aden", "mali", "oslo", "rome", "lima", "baku")) + ")"
DRY = WriteOptions(dry_run=True)


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "postgres":
        yield PostgresLedger.load(request.getfixturevalue("postgres_url"))
    else:
        yield {"sqlite": SqliteLedger, "duckdb": DuckdbLedger}[request.param].load(tmp_path)


def role(table: str, **rule: Any) -> dict[str, Any]:
    return {"clerk": {"approval": "none", "tables": {table: {"operations": WRITES, **rule}}}}


@pytest.mark.parametrize(
    "columns", [{"exclude": ["id"]}, {"mask": {"id": "null"}}, {"exclude": ["id"], "write": ["id", "name"]}]
)
async def test_a_key_that_is_not_read_names_no_row(ledger: Ledger, columns: Any) -> None:
    before = state(ledger)
    async with Governed(ledger, role("accounts", columns=columns)) as governed:
        for insert_missing in (False, True):
            with pytest.raises(Invalid) as refusal:
                await governed.update_keyed(ANN, KeyedRequest("accounts", [{"id": 1, "name": "x"}], insert_missing))
            assert refusal.value.code == "no-key"
    assert state(ledger) == before


async def test_a_hidden_unique_column_names_no_row_to_merge_with(ledger: Ledger) -> None:
    before = state(ledger)
    rule = {"exclude": ["note"], "write": ["account", "line", "note"]}
    row = {"account": 9, "line": 9, "note": "a"}
    async with Governed(ledger, role("lines", columns=rule)) as governed:
        for action in ("merge", "ignore"):
            seen = {}
            for name in ("note", "nothing"):
                with pytest.raises(Invalid) as refusal:
                    await governed.insert(ANN, InsertRequest("lines", [row], action, (name,)))
                seen[name] = (refusal.value.code, refusal.value.message)
            assert seen["note"] == seen["nothing"]
    assert state(ledger) == before


async def test_a_filter_that_can_fail_meets_no_hidden_row(ledger: Ledger) -> None:
    """Only the row of Aden may be met; the others hold a text in which no place of JSON is found."""
    ledger.run("UPDATE accounts SET name = '{\"a\": 1}' WHERE id = 1")
    outcomes = []
    for hidden in ('{"a": 1}', "no json"):
        ledger.run(f"UPDATE accounts SET name = '{hidden}' WHERE id <> 1")
        async with Governed(ledger, role("accounts", rows=COSTLY)) as governed:
            for where in ("eq.1", "neq.1"):
                tree = parse_filter([("name->>a", where)])
                asked = (
                    UpdateRequest("accounts", {"balance": 5}, tree, DRY),
                    DeleteRequest("accounts", tree, DRY),
                    DeleteRequest("accounts", tree, WriteOptions(dry_run=True, if_match="*")),
                )
                outcomes.extend([await outcome(governed, request) for request in asked])
    half = len(outcomes) // 2
    assert outcomes[:half] == outcomes[half:]


async def outcome(governed: Governed, request: UpdateRequest | DeleteRequest) -> str:
    try:
        if isinstance(request, UpdateRequest):
            return str((await governed.update(ANN, request)).affected)
        return str((await governed.delete(ANN, request)).affected)
    except PierheadError as refusal:
        return f"refused {refusal.code}: {refusal.message}"


async def read(governed: Governed, order: str, filters: list[tuple[str, str]], *, pages: int) -> str:
    lane = ReadLane(governed.source, Cursors(b"k" * 32), Digests(lambda: b"d" * 32))
    columns, embeds = parse_select("id")
    cursor, seen = "", ""
    for _ in range(pages):
        selection = Selection(columns, embeds, parse_filter(filters), parse_order(order), 1)
        try:
            page = await lane.read(ANN, ReadRequest("accounts", selection, None, cursor), FOR_AGENTS)
        except PierheadError as refusal:
            return f"{seen} refused {refusal.code}: {refusal.message}"
        cursor = page.next_cursor or ""
        seen += f"{[tuple(row) for row in page.rows]} "
        if not cursor:
            break
    return seen


async def test_a_page_by_a_place_in_json_meets_no_hidden_row(ledger: Ledger) -> None:
    ledger.run("UPDATE accounts SET city = 'Aden' WHERE id < 4; UPDATE accounts SET name = '{\"a\": 1}'")
    seen = []
    for hidden in ('{"a": 1}', "no json"):
        ledger.run(f"UPDATE accounts SET name = '{hidden}' WHERE id = 4")
        async with Governed(ledger, role("accounts", rows=COSTLY)) as governed:
            seen.append(await read(governed, "name->>a,id", [], pages=3))
    assert seen[0] == seen[1]
    if not isinstance(ledger, PostgresLedger):  # there text has no arrows
        assert seen[0] == "[(1,)] [(2,)] [(3,)] "


async def test_a_pattern_that_ends_in_an_escape_tells_nothing_of_hidden_rows(ledger: Ledger) -> None:
    seen = []
    for hidden in ("zzz1", "other"):
        ledger.run(f"UPDATE accounts SET name = '{hidden}' WHERE id = 4")
        rule = "or(city.in.(Aden,Mali,Oslo,Rome,Lima),city.in.(A,B,C,D,E,F))"
        async with Governed(ledger, role("accounts", rows=rule)) as governed:
            patterns = ("like.zzz\\", "ilike.zzz\\", "like.zzz\\\\\\")
            seen.extend([await read(governed, "id", [("name", pattern)], pages=1) for pattern in patterns])
    assert set(seen) == {"[] "}
