"""Rules from the snapshot; and a memory that never changes a decision."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit import samples
from tests.unit.samples import AGENT, ALICE, ROBOT, ROW, SERVER, TOOL, call, caller, server

from pierhead.core.approval import Approval
from pierhead.core.bounds import read_bounds
from pierhead.core.call import Request
from pierhead.core.catalog import Tool
from pierhead.core.identity import Both, Caller, Party, Principal
from pierhead.core.policy import ApprovalNeeded, Permit, Question, RuleEffect, decide
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import NOBODY, parse_who
from pierhead.core.snapshot import Snapshot
from pierhead.usecases.match_rules import REACH, REACH_AND_USE, Remembered, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of


def _matches(
    tool: Tool,
    *rows: Row,
    principal: Principal = ALICE,
    questions: frozenset[Question] = REACH_AND_USE,
    asking: Caller | None = None,
    values: dict | None = None,
) -> list:
    on = server(tool)
    snapshots = MemorySnapshots(snapshot_of([on], rows))
    request = Request(call(tool.name, values), asking or caller(principal), on, tool, 1)
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


def test_a_tool_of_some_channels_is_refused_in_every_other_and_in_none() -> None:
    spark = replace(TOOL, bounds=read_bounds(["airflow-help"], None))
    assert [found[0] for found in _matches(spark, ROW, asking=caller(channel="airflow-help"))] == ["permit", "permit"]
    for channel in ("", "airflow", "airflow-help2", "random"):
        assert _matches(spark, ROW, asking=caller(channel=channel))[-1] == (
            "forbid",
            "use",
            "warehouse.run_query.channels",
            "run_query is used only in the channels airflow-help",
        )
    nowhere = replace(TOOL, narrowed_bounds=read_bounds([], None))
    assert _matches(nowhere, ROW)[-1][2:] == (
        "warehouse.run_query.narrowed.channels",
        "run_query is used in no channel",
    )


def test_a_condition_that_does_not_hold_forbids_to_each_party_and_one_that_holds_says_nothing() -> None:
    bounded = replace(
        TOOL, policy=parse_who(f"group:data-eng or workload:{ROBOT}"), bounds=read_bounds(None, "limit <= 10")
    )
    narrowed = replace(bounded, narrowed_bounds=read_bounds(None, ["limit > 3"]))
    row = replace(ROW, who=narrowed.policy)
    assert [found[0] for found in _matches(narrowed, row, values={"limit": 5})] == ["permit", "permit"]
    assert _matches(bounded, row, values={"limit": 50})[-1] == (
        "forbid",
        "use",
        "warehouse.run_query.when",
        "run_query is used only when limit <= 10: it does not hold",
    )
    assert _matches(narrowed, row, values={})[-1][3] == "run_query is used only when limit > 3: the call gives no limit"
    both = _matches(narrowed, row, values={"limit": 1}, asking=caller(Both(ALICE, AGENT)))
    assert [found[2] for found in both if found[0] == "forbid"] == ["warehouse.run_query.narrowed.when"] * 2


def test_a_condition_on_arguments_that_nobody_read_asks_for_people_and_the_gateway_does_not_judge_it() -> None:
    bounded = replace(TOOL, bounds=read_bounds(None, "limit <= 10"))
    on = server(bounded)
    rules = SnapshotRules(MemorySnapshots(snapshot_of([on], [ROW])), REACH_AND_USE)
    request = Request(call(), caller(), on, bounded, 1)
    asked = rules.matches(request)[-1]
    assert (asked.effect, asked.approval, asked.rule) == (RuleEffect.ASK, Approval.APPROVE, "warehouse.run_query.when")
    assert asked.sentence == "run_query hangs on arguments that were not read: limit <= 10"
    assert isinstance(decide(request, rules.matches(request), REACH_AND_USE), ApprovalNeeded)
    assert _matches(bounded, ROW, questions=REACH, values={"limit": 50})[1:] == []


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


@given(samples.callers, st.lists(samples.rows, max_size=8))
def test_the_index_of_rows_answers_as_asking_every_row_would(asking: Caller, rows: list[Row]) -> None:
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
    samples.callers,
    st.sampled_from(("warehouse", "elsewhere")),
    st.sampled_from(("a", "b", "")),
    st.sampled_from((None, {}, {"limit": 5, "table": "a"}, {"limit": 50, "table": "b"})),
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
    for swap, (asking, name, tool, values, resolved_under, about_reach) in questions:
        in_force.snapshot = snapshots[swap % len(snapshots)]
        if about_reach:
            assert remembered.reach(asking, name) == fresh.reach(asking, name)
            continue
        on = snapshots[resolved_under % len(snapshots)].servers[name]
        request = Request(call(tool, values), asking, on, on.tools[tool], 1)
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
    row = Row("warehouse", parse_who(f"workload:{ROBOT}"), EVERY, EVERY, EVERY)
    rules = SnapshotRules(MemorySnapshots(snapshot_of([SERVER], [row])), REACH)
    assert [match.party for match in rules.reach(caller(Both(ALICE, AGENT)), "warehouse")] == [Party.WORKLOAD]
    assert rules.reach(caller(ALICE), "warehouse") == ()


def test_a_swapped_policy_is_asked_anew_of_everyone_who_is_remembered() -> None:
    snapshots = MemorySnapshots(snapshot_of([SERVER], [ROW]))
    remembered = Remembered(SnapshotRules(snapshots, REACH_AND_USE), limit=10)
    asked = Request(call(), caller(), SERVER, TOOL, 1)
    assert remembered.reach(caller(), "warehouse")
    assert remembered.matches(asked)
    snapshots.snapshot = snapshot_of([SERVER], [])
    assert remembered.reach(caller(), "warehouse") == ()
    assert [match.question for match in remembered.matches(asked)] == [Question.USE]
    closed = server(replace(TOOL, policy=NOBODY))
    snapshots.snapshot = snapshot_of([closed], [])
    assert [match.question for match in remembered.matches(asked)] == [Question.USE], "it was resolved before"
    assert remembered.matches(Request(call(), caller(), closed, closed.tools["run_query"], 1)) == ()


def test_a_memory_that_is_full_begins_again_and_one_that_is_not_keeps_all() -> None:
    snapshots = MemorySnapshots(snapshot_of([SERVER], [ROW]))
    remembered = Remembered(SnapshotRules(snapshots, REACH_AND_USE), limit=2)
    first = remembered.reach(caller(), "warehouse")
    remembered.reach(caller(surface="chat"), "warehouse")
    assert remembered.reach(caller(), "warehouse") is first
    remembered.reach(caller(surface="agent"), "warehouse")
    assert len(remembered._kept) == 1


def test_the_index_is_made_once_for_a_snapshot() -> None:
    snapshots = MemorySnapshots(snapshot_of([SERVER], [ROW]))
    rules = SnapshotRules(snapshots, REACH)
    rules.reach(caller(), "warehouse")
    made = rules._indexes["warehouse"]
    rules.reach(caller(), "warehouse")
    assert rules._indexes["warehouse"] is made
    snapshots.snapshot = snapshot_of([SERVER], [replace(ROW, who=parse_who("group:ads"))])
    assert rules.reach(caller(), "warehouse") == ()
