"""What a caller sees is what that caller may call."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import samples
from tests.unit.samples import ROW, SERVER, TOOL, caller, request, server

from pierhead.core.approval import Approval
from pierhead.core.catalog import Stage, Tool
from pierhead.core.errors import Forbidden, NotFound, PolicyExpired
from pierhead.core.identity import ANONYMOUS, Principal
from pierhead.core.policy import DENIED, Decision, Refusal, decide
from pierhead.core.reach import Row
from pierhead.core.rule import NOBODY, parse_who
from pierhead.core.snapshot import Expired
from pierhead.usecases.list_tools import list_tools, may_use, reachable_server
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of

HIDDEN = replace(TOOL, name="hidden", policy=NOBODY)
ASKING = replace(TOOL, name="asking", approval=Approval.APPROVE)


def _host(*tools: Tool, rows: tuple[Row, ...] = (ROW,)) -> tuple[MemorySnapshots, SnapshotRules]:
    snapshots = MemorySnapshots(snapshot_of([server(*tools)], rows))
    return snapshots, SnapshotRules(snapshots, REACH_AND_USE)


def test_the_list_holds_what_may_be_used_in_the_servers_own_order() -> None:
    snapshots, rules = _host(TOOL, HIDDEN, ASKING)
    assert list_tools("warehouse", caller(), snapshots, rules) == (TOOL, ASKING)


def test_a_server_one_may_not_reach_lists_nothing_and_says_why() -> None:
    snapshots, rules = _host(TOOL, rows=(replace(ROW, who=parse_who("group:legal")),))
    with pytest.raises(Forbidden, match="it is open to group:legal"):
        list_tools("warehouse", caller(), snapshots, rules)
    with pytest.raises(Forbidden, match="nobody is signed in"):
        reachable_server("warehouse", caller(ANONYMOUS), snapshots, rules)


def test_a_server_that_is_not_there_is_not_found() -> None:
    snapshots, rules = _host(TOOL)
    with pytest.raises(NotFound):
        list_tools("elsewhere", caller(), snapshots, rules)
    snapshots.snapshot = snapshot_of([replace(SERVER, stage=Stage.SUSPENDED)], [ROW])
    with pytest.raises(NotFound):
        reachable_server("warehouse", caller(), snapshots, rules)


def test_an_expired_policy_lists_nothing() -> None:
    snapshots, rules = _host(TOOL)
    snapshots.how_old = Expired(1000)
    with pytest.raises(PolicyExpired):
        list_tools("warehouse", caller(), snapshots, rules)
    assert not may_use("warehouse", "run_query", caller(), snapshots, rules)


@pytest.mark.parametrize(
    ("server_name", "tool", "may"),
    [("warehouse", "run_query", True), ("warehouse", "hidden", False), ("warehouse", "gone", False), ("x", "x", False)],
)
def test_one_tool_may_be_asked_about_without_learning_why_not(server_name: str, tool: str, *, may: bool) -> None:
    snapshots, rules = _host(TOOL, HIDDEN)
    assert may_use(server_name, tool, caller(), snapshots, rules) is may


def _may_ask(decision: Decision) -> bool:
    """Nothing stands against the caller, unless the class `deny` that is the same for everyone."""
    return not isinstance(decision, Refusal) or decision.code == DENIED


@given(samples.principals, st.lists(samples.tools, max_size=3), st.lists(samples.rows, max_size=3))
def test_the_list_is_exactly_what_decide_does_not_refuse(
    principal: Principal, some: list[Tool], rows: list[Row]
) -> None:
    tools = [replace(tool, name=f"tool-{index}") for index, tool in enumerate(some)]
    on = replace(SERVER, tools={tool.name: tool for tool in tools})
    snapshots = MemorySnapshots(snapshot_of([on], rows))
    rules = SnapshotRules(snapshots, REACH_AND_USE)

    def decided(tool: Tool) -> Decision:
        asked = request(principal, tool, on)
        return decide(asked, rules.matches(asked), REACH_AND_USE)

    usable = tuple(tool for tool in tools if _may_ask(decided(tool)))
    try:
        listed = list_tools("warehouse", caller(principal), snapshots, rules)
    except Forbidden:
        listed = ()
    assert listed == usable
    assert all(
        may_use("warehouse", tool.name, caller(principal), snapshots, rules) is (tool in usable) for tool in tools
    )
