"""Pierhead's own three tools: they are on every server, under rules of their own, and none decides."""

import pytest
from tests.unit.samples import AGENT, ALICE, ROW, TOOL, caller, server

from pierhead.core.approval import Approval
from pierhead.core.call import Call, Opaque
from pierhead.core.catalog import Effect
from pierhead.core.errors import NotFound
from pierhead.core.identity import Both, Party, User
from pierhead.core.policy import Permit, Refusal, decide
from pierhead.core.snapshot import Fresh
from pierhead.core.token_weight import token_weight
from pierhead.core.waiting_tools import CANCEL, MINE, WAIT, WAITING_TOOLS, is_waiting_tool, tool_of
from pierhead.usecases.list_tools import may_use
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.resolve import resolve

SNAPSHOTS = MemorySnapshots(snapshot_of([server(TOOL)], [ROW]))
RULES = SnapshotRules(SNAPSHOTS, REACH_AND_USE)


def test_none_of_them_decides_and_all_are_small() -> None:
    assert list(WAITING_TOOLS) == [WAIT, MINE, CANCEL]
    assert all(tool.approval is Approval.NONE for tool in WAITING_TOOLS.values())
    assert [tool.effect for tool in WAITING_TOOLS.values()] == [Effect.READ, Effect.READ, Effect.WRITE]
    weights = [token_weight(each.name, each.description, (each.input_schema, {})) for each in WAITING_TOOLS.values()]
    assert sum(weights) <= 180


def test_a_server_has_its_own_tools_and_these() -> None:
    found = server(TOOL)
    assert tool_of(found, TOOL.name) is TOOL
    assert tool_of(found, WAIT) is WAITING_TOOLS[WAIT]
    assert tool_of(found, "nothing") is None
    assert not is_waiting_tool(TOOL)


@pytest.mark.parametrize("name", list(WAITING_TOOLS))
def test_whoever_reaches_the_server_may_use_them_and_nobody_else(name: str) -> None:
    call = Call("1", "warehouse", name, Opaque("", 0), "2026-07-28", "")
    stranger = caller(User(ALICE.issuer, "zoe", frozenset()))
    request = resolve(call, caller(), SNAPSHOTS.current(), Fresh())
    assert isinstance(decide(request, RULES.matches(request), RULES.questions), Permit)
    assert may_use("warehouse", name, caller(), SNAPSHOTS, RULES)
    assert not may_use("warehouse", name, stranger, SNAPSHOTS, RULES)
    with pytest.raises(NotFound):
        resolve(Call("1", "other", name, Opaque("", 0), "", ""), caller(), SNAPSHOTS.current(), Fresh())


def test_a_program_alone_withdraws_nothing() -> None:
    request = resolve(
        Call("1", "warehouse", CANCEL, Opaque("", 0), "", ""), caller(AGENT), SNAPSHOTS.current(), Fresh()
    )
    assert isinstance(decide(request, RULES.matches(request), RULES.questions), Refusal)
    both = resolve(request.call, caller(Both(ALICE, AGENT)), SNAPSHOTS.current(), Fresh())
    permitted = {match.party for match in RULES.matches(both) if match.rule.endswith(".own")}
    assert permitted == {Party.PERSON, Party.WORKLOAD}
