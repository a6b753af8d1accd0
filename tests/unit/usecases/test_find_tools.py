"""Finding tools: what fits best, what may be used, what a large fleet costs."""

import json
import random
from dataclasses import replace

import pytest
from tests.unit.samples import ISSUER, SERVER, TOOL, caller

from pierhead.apps.gateway.desk import INSTRUCTIONS, TOOLS
from pierhead.core.catalog import Server, Stage, Tool
from pierhead.core.errors import Forbidden, NotFound, PolicyExpired
from pierhead.core.identity import User
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import Expired, Snapshot
from pierhead.usecases.find_tools import PastUse, ToolFinder, ToolIndex, words
from pierhead.usecases.match_rules import REACH_AND_USE, Remembered, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots
from pierhead.usecases.read_roles import roles_in
from pierhead.usecases.told_by_roles import ToldByRoles

ME = caller()
BOB = caller(User(ISSUER, "bob", frozenset({"ads"})))


def tool(name: str, description: str, **changes: object) -> Tool:
    return replace(TOOL, name=name, description=description, **changes)


def server(name: str, *tools: Tool, description: str = "", stage: Stage = Stage.DEPLOYED) -> Server:
    declared = {each.name: each for each in tools}
    return replace(SERVER, name=name, description=description, tools=declared, stage=stage)


FLEET = (
    server(
        "warehouse",
        tool("run_query", "Run one SQL query and return its rows."),
        tool("list_tables", "The tables that can be read."),
        tool("explain_query", "How a query would run.", policy=parse_who("group:legal")),
        tool("drop_table", "Drop one table.", withheld="its description changed"),
        description="Flights of New York.",
    ),
    server("tickets", tool("createTicket", "Open a ticket."), tool("find", "Search tickets by text.")),
    server("ledger", tool("run_query", "Run one SQL query on invoices."), tool("close_month", "Close a month.")),
    server("old", tool("run_query", "Run one SQL query, as before."), stage=Stage.RETIRED),
)
ROWS = {
    each.name: (Row(each.name, parse_who("group:data-eng"), EVERY, EVERY, EVERY),)
    for each in FLEET
    if each.name != "ledger"
}


def finder(*fleet: Server, rows: dict[str, tuple[Row, ...]] | None = None) -> ToolFinder:
    snapshot = Snapshot(3, {each.name: each for each in fleet or FLEET}, ROWS if rows is None else rows)
    snapshots = MemorySnapshots(snapshot)
    made = ToolFinder(snapshots, Remembered(SnapshotRules(snapshots, REACH_AND_USE), 1000), PastUse())
    made.take(snapshot, ToolIndex.of(snapshot))
    return made


def names(found: ToolFinder, query: str, limit: int = 10, who: object = ME) -> list[str]:
    entries, _ = found.find(query, limit, who)  # pyright: ignore[reportArgumentType]
    return [f"{each.name}.{declared.name}" for each, declared in entries]


def test_names_are_cut_into_words() -> None:
    assert words("createTicket list_tables HTTPServer v2 Queries, boss") == [
        *("create", "ticket", "list", "table", "http", "server", "v", "2", "query", "boss")
    ]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("run a query", "warehouse.run_query"),
        ("which tables are there", "warehouse.list_tables"),
        ("open tickets", "tickets.createTicket"),
        ("flights of new york sql", "warehouse.run_query"),
        ("search text", "tickets.find"),
    ],
)
def test_the_tool_that_fits_best_comes_first(query: str, first: str) -> None:
    assert names(finder(), query)[0] == first


def test_what_fits_no_word_is_not_found() -> None:
    assert names(finder(), "weather tomorrow") == []


def test_without_words_all_that_may_be_used_is_found() -> None:
    expected = {"warehouse.run_query", "warehouse.list_tables", "tickets.createTicket", "tickets.find"}
    assert set(names(finder(), " ")) == expected


@pytest.mark.parametrize("query", ["explain query", "drop table", "close month invoices", "query as before", ""])
def test_hidden_withheld_and_unreachable_tools_are_never_found(query: str) -> None:
    hidden = {
        "warehouse.explain_query",
        "warehouse.drop_table",
        "ledger.run_query",
        "ledger.close_month",
        "old.run_query",
    }
    assert not hidden & set(names(finder(), query, 25))
    assert names(finder(), query, 25, BOB) == []


def test_a_tool_that_was_used_comes_before_one_that_fits_alike() -> None:
    twins = [server(name, tool("export", "Export rows.")) for name in ("a", "b", "c")]
    rows = {each.name: (Row(each.name, parse_who("everyone"), EVERY, EVERY, EVERY),) for each in twins}
    found = finder(*twins, rows=rows)
    assert names(found, "export") == ["a.export", "b.export", "c.export"]
    for _ in range(5):
        found.past_use.note("c", "export")
    assert names(found, "export") == ["c.export", "a.export", "b.export"]


def test_there_are_more_only_if_the_caller_may_use_them() -> None:
    found = finder()
    assert found.find("", 4, ME)[1] is False
    assert found.find("", 3, ME)[1] is True


def test_a_right_that_was_taken_holds_before_the_words_are_indexed_again() -> None:
    found = finder()
    snapshots = found.snapshots
    assert isinstance(snapshots, MemorySnapshots)
    snapshots.snapshot = replace(snapshots.current(), revision=4, rows={})
    assert not found.is_current
    assert names(found, "run query") == []


def test_a_server_that_was_stopped_is_not_found_before_the_words_are_indexed_again() -> None:
    found = finder()
    snapshots = found.snapshots
    assert isinstance(snapshots, MemorySnapshots)
    stopped = {each.name: replace(each, stage=Stage.SUSPENDED) for each in FLEET}
    snapshots.snapshot = replace(snapshots.current(), revision=4, servers=stopped)
    assert names(found, "run query") == []


def test_what_did_not_change_is_not_read_again() -> None:
    found = finder()
    snapshot = replace(found.snapshots.current(), revision=4)
    again = ToolIndex.of(snapshot, found.index)
    assert again == found.index
    assert all(again.parts[name] is part for name, part in found.index.parts.items())


def test_a_tool_is_described_to_those_who_may_use_it() -> None:
    assert finder().describe("warehouse", "run_query", ME)[1].description.startswith("Run one SQL")
    for name in ("explain_query", "drop_table", "nothing"):
        with pytest.raises(NotFound, match=f"Unknown tool: {name}"):
            finder().describe("warehouse", name, ME)
    with pytest.raises(Forbidden):
        finder().describe("ledger", "run_query", ME)
    with pytest.raises(NotFound, match="no server 'old'"):
        finder().describe("old", "run_query", ME)


def test_nothing_is_found_by_a_policy_that_is_too_old() -> None:
    found = finder()
    snapshots = found.snapshots
    assert isinstance(snapshots, MemorySnapshots)
    snapshots.how_old = Expired(1000)
    with pytest.raises(PolicyExpired):
        found.find("query", 3, ME)


def test_the_definitions_take_under_1500_tokens_whatever_the_fleet() -> None:
    size = len(json.dumps(TOOLS, separators=(",", ":"))) + len(INSTRUCTIONS)
    tokens = -(-size // 3)  # counted high: text of this kind has about four characters a token
    print(f"front desk: {size} characters, at most {tokens} tokens")
    assert tokens < 1500


@pytest.mark.slow
def test_ten_tools_are_told_of_20_000() -> None:
    chance = random.Random(7)  # noqa: S311 - the same fleet each time
    vocabulary = [f"{a}{b}" for a in ("order", "invoice", "ticket", "deploy", "metric", "user") for b in "abcdefghijkl"]
    fleet = [
        server(
            f"s{place}",
            *(
                tool(f"{chance.choice(vocabulary)}_{number}", f"List the {' '.join(chance.choices(vocabulary, k=30))}")
                for number in range(10)
            ),
        )
        for place in range(2000)
    ]
    who = {True: parse_who("group:data-eng"), False: parse_who("group:ads")}
    rows = {each.name: (Row(each.name, who[place % 5 == 0], EVERY, EVERY, EVERY),) for place, each in enumerate(fleet)}
    found = finder(*fleet, rows=rows)
    for query in ("list the ordera", "invoicec ticketd", "deploye for usera and metricb", "the", "list"):
        assert len(names(found, query)) == 10


def test_tools_that_a_role_keeps_back_are_neither_found_nor_described() -> None:
    roles = roles_in({"kind": "sql", "roles": {"reader": {"tables": ["x"], "operations": ["read"], "sql": False}}})
    snapshot = Snapshot(3, {"warehouse": replace(FLEET[0], roles=roles)}, ROWS)
    snapshots = MemorySnapshots(snapshot)
    found = ToolFinder(snapshots, ToldByRoles(Remembered(SnapshotRules(snapshots, REACH_AND_USE), 1000)), PastUse())
    found.take(snapshot, ToolIndex.of(snapshot))

    assert names(found, "") == ["warehouse.list_tables"]
    with pytest.raises(NotFound):
        found.describe("warehouse", "run_query", ME)
    assert found.describe("warehouse", "list_tables", ME)[1].name == "list_tables"
