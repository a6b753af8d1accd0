"""Rules from the snapshot; and a memory that never changes a decision."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit import samples
from tests.unit.samples import AGENT, ALICE, ROBOT, ROW, SERVER, TOOL, call, caller, server

from pierhead.core.approval import Approval
from pierhead.core.call import Request
from pierhead.core.catalog import Tool
from pierhead.core.identity import Both, Party, Principal
from pierhead.core.policy import Permit, Question, RuleEffect, decide
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import NOBODY, parse_who
from pierhead.core.snapshot import Snapshot
from pierhead.usecases.match_rules import REACH, REACH_AND_USE, Remembered, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of


def _matches(
    tool: Tool, *rows: Row, principal: Principal = ALICE, questions: frozenset[Question] = REACH_AND_USE
) -> list:
    on = server(tool)
    snapshots = MemorySnapshots(snapshot_of([on], rows))
    request = Request(call(tool.name), caller(principal), on, tool, 1)
    found = SnapshotRules(snapshots, questions).matches(request)
    return [(match.effect.value, match.question.value, match.rule, match.sentence) for match in found]


def test_a_row_and_a_declaration_each_permit_with_a_sentence() -> None:
    assert _matches(TOOL, ROW) == [
        ("permit", "reach", "warehouse.access[0]", "access admits group:data-eng"),
        ("permit", "use", "warehouse.run_query.policy", "run_query is declared for group:data-eng"),
    ]


def test_each_row_that_admits_is_named_by_its_place() -> None:
    rows = (replace(ROW, who=NOBODY), ROW, replace(ROW, server="elsewhere"))
    assert [rule for _, _, rule, _ in _matches(TOOL, *rows, questions=REACH)] == ["warehouse.access[1]"]


def test_a_narrowing_forbids_and_never_permits() -> None:
    narrowed = replace(TOOL, policy=NOBODY, narrowed=parse_who("group:data-eng"))
    assert _matches(narrowed, ROW)[1:] == []
    narrowed = replace(TOOL, narrowed=parse_who("group:legal"))
    assert _matches(narrowed, ROW)[-1] == (
        "forbid",
        "use",
        "warehouse.run_query.narrowed",
        "the fleet narrows run_query to group:legal",
    )


def test_an_approval_asks_each_party() -> None:
    asking = replace(TOOL, approval=Approval.CONFIRM)
    asks = [found for found in _matches(asking, ROW, principal=Both(ALICE, AGENT)) if found[0] == RuleEffect.ASK]
    assert len(asks) == 2


def test_the_gateway_sees_nothing_of_use() -> None:
    tool = replace(TOOL, narrowed=NOBODY, approval=Approval.DENY)
    assert [question for _, question, _, _ in _matches(tool, ROW, questions=REACH)] == ["reach"]


def test_other_servers_rules_do_not_matter() -> None:
    assert _matches(TOOL, replace(ROW, server="elsewhere"), questions=REACH) == []


@given(samples.boths, samples.tools, st.lists(samples.rows, max_size=3))
def test_a_person_through_a_workload_may_at_most_what_each_alone_may_read(
    both: Both, tool: Tool, rows: list[Row]
) -> None:
    reading = replace(tool, effect="read")
    on = server(reading)
    rules = SnapshotRules(MemorySnapshots(snapshot_of([on], rows)), REACH_AND_USE)

    def permitted(principal: Principal) -> bool:
        request = Request(call(reading.name), caller(principal), on, reading, 1)
        return isinstance(decide(request, rules.matches(request), rules.questions), Permit)

    if permitted(both):
        assert permitted(both.user)
        assert permitted(both.workload)


@given(samples.principals, samples.surfaces, st.lists(samples.rows, max_size=8))
def test_the_index_of_rows_answers_as_asking_every_row_would(
    principal: Principal, surface: str, rows: list[Row]
) -> None:
    asking = caller(principal, surface)
    on = [replace(row, server=SERVER.name) for row in rows]
    found = SnapshotRules(MemorySnapshots(snapshot_of([SERVER], on)), REACH).reach(asking, SERVER.name)
    expected = [
        (f"{SERVER.name}.access[{place}]", party)
        for place, row in enumerate(on)
        for party in Party
        if row.admits(asking, party)
    ]
    assert [(match.rule, match.party) for match in found] == expected


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    """Small snapshots over the same few names, so that memory has every chance to mix them up."""
    tools = [replace(draw(samples.tools), name=name) for name in ("a", "b", "")]
    servers = [
        replace(SERVER, name=name, tools={tool.name: tool for tool in draw(st.permutations(tools))})
        for name in ("warehouse", "elsewhere")
    ]
    rows = draw(
        st.lists(st.builds(replace, samples.rows, server=st.sampled_from(("warehouse", "elsewhere"))), max_size=4)
    )
    return snapshot_of(servers, rows, revision=draw(st.integers(1, 2)))


asked = st.tuples(
    samples.principals,
    samples.surfaces,
    st.sampled_from(("warehouse", "elsewhere")),
    st.sampled_from(("a", "b", "")),
    st.integers(0, 2),
    st.booleans(),
)


@given(
    st.lists(worlds(), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), asked), max_size=25),
    st.integers(1, 3),
)
def test_memory_never_changes_an_answer_whatever_is_swapped_or_resolved_earlier(
    snapshots: list[Snapshot], questions: list[tuple], limit: int
) -> None:
    in_force = MemorySnapshots(snapshots[0])
    fresh = SnapshotRules(in_force, REACH_AND_USE)
    remembered = Remembered(fresh, limit)
    assert remembered.questions == fresh.questions
    for swap, (principal, surface, name, tool, resolved_under, about_reach) in questions:
        in_force.snapshot = snapshots[swap % len(snapshots)]
        asking = caller(principal, surface)
        if about_reach:
            assert remembered.reach(asking, name) == fresh.reach(asking, name)
            continue
        on = snapshots[resolved_under % len(snapshots)].servers[name]
        request = Request(call(tool), asking, on, on.tools[tool], 1)
        assert remembered.matches(request) == fresh.matches(request)


def test_memory_is_used_and_stays_within_its_limit() -> None:
    snapshots = MemorySnapshots(snapshot_of([SERVER], [ROW]))
    remembered = Remembered(SnapshotRules(snapshots, REACH_AND_USE), limit=2)
    request = Request(call(), caller(), SERVER, TOOL, 1)
    assert remembered.matches(request) is remembered.matches(request)
    assert remembered.reach(caller(), "warehouse") is remembered.reach(caller(), "warehouse")
    for surface in "abcdef":
        remembered.reach(caller(surface=surface), "warehouse")
        assert len(remembered._kept) <= 2


def test_a_row_for_a_workload_admits_only_that_workload() -> None:
    row = Row("warehouse", parse_who(f"workload:{ROBOT}"), EVERY, EVERY)
    rules = SnapshotRules(MemorySnapshots(snapshot_of([SERVER], [row])), REACH)
    assert [match.party for match in rules.reach(caller(Both(ALICE, AGENT)), "warehouse")] == [Party.WORKLOAD]
    assert rules.reach(caller(ALICE), "warehouse") == ()
