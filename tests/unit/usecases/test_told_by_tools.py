"""What a tool says of a call may only add to what the rules say."""

from dataclasses import replace

import pytest
from tests.unit.samples import ROW, SERVER, call, request

from pierhead.core.approval import Approval
from pierhead.core.policy import RuleEffect
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.told_by_tools import Asks, Offered, ToldByTools

RULES = SnapshotRules(MemorySnapshots(snapshot_of([SERVER], (ROW,))), REACH_AND_USE)


def told(asks: dict[str, Asks] | None = None, offered: dict[str, Offered] | None = None) -> ToldByTools:
    return ToldByTools(RULES, asks or {}, offered or {})


def by_rows(_caller: object, arguments: object) -> str:
    return "approve" if isinstance(arguments, dict) and arguments["rows"] > 1 else "none"


@pytest.mark.parametrize(
    ("values", "asked"),
    [({"rows": 1}, Approval.NONE), ({"rows": 2}, Approval.APPROVE), (None, Approval.APPROVE)],
    ids=["few", "many", "unread"],
)
def test_arguments_decide_who_is_asked_and_unread_ones_ask(values: dict[str, int] | None, asked: Approval) -> None:
    made = replace(request(), call=call(values=values))
    said = told(asks={"run_query": by_rows}).matches(made)
    assert [match.approval for match in said if match.effect is RuleEffect.ASK] == [asked] * (
        asked is not Approval.NONE
    )
    assert [match for match in said if match.effect is not RuleEffect.ASK] == list(RULES.matches(made))


def test_a_tool_that_is_not_offered_is_forbidden_whatever_permits_it() -> None:
    said = told(offered={"run_query": lambda _caller: False}).matches(request())
    assert [match.effect for match in said][-1] is RuleEffect.FORBID


def test_a_tool_that_says_nothing_changes_nothing() -> None:
    made = request()
    assert told().matches(made) == RULES.matches(made)
    assert told().reach(made.caller, "warehouse") == RULES.reach(made.caller, "warehouse")
    assert told().questions == RULES.questions
