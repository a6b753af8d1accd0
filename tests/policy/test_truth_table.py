"""Every row of the truth table, put to the rules of the snapshot and to decide."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.unit.samples import ISSUER, TOOL, call, server

from pierhead.core.approval import Approval
from pierhead.core.call import Request
from pierhead.core.catalog import Effect
from pierhead.core.identity import ANONYMOUS, Both, Caller, Principal, User, Workload
from pierhead.core.policy import ApprovalNeeded, Decision, Permit, Question, Refusal, decide
from pierhead.core.reach import EVERY, Every, Row
from pierhead.core.rule import parse_who
from pierhead.usecases.match_rules import REACH, REACH_AND_USE, Remembered, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of

CASES: Final[list[dict[str, Any]]] = [
    case
    for file in sorted(Path(__file__).parent.glob("*.yaml"))
    for case in yaml.safe_load(file.read_text(encoding="utf-8"))
]
NAMES: Final = {Permit: "permit", Refusal: "refuse", ApprovalNeeded: "approval"}


def _principal(said: dict[str, Any]) -> Principal:
    user = User(ISSUER, said["user"], frozenset(said.get("groups", []))) if "user" in said else None
    program = Workload(said["workload"]) if "workload" in said else None
    if user and program:
        return Both(user, program)
    return user or program or ANONYMOUS


def _row(said: str | dict[str, Any]) -> Row:
    if isinstance(said, str):
        return Row("warehouse", parse_who(said), EVERY, EVERY, EVERY)
    return Row("warehouse", parse_who(said["who"]), _places(said, "surfaces"), _places(said, "environments"), EVERY)


def _places(said: dict[str, Any], name: str) -> frozenset[str] | Every:
    return frozenset(said[name]) if name in said else EVERY


def _decide(case: dict[str, Any], questions: frozenset[Question]) -> Decision:
    said = case["tool"]
    tool = replace(
        TOOL,
        policy=parse_who(said["policy"]),
        effect=Effect(said["effect"]),
        approval=Approval(said.get("approval", "none")),
        narrowed=parse_who(said["narrowed"]) if "narrowed" in said else None,
    )
    on = server(tool)
    snapshots = MemorySnapshots(snapshot_of([on], [_row(row) for row in case["access"]]))
    who = case["caller"]
    asking = Caller(_principal(who), who.get("surface", "ide"), who.get("environment", "local"), "correlation-1")
    request = Request(call(), asking, on, tool, 1)
    fresh = SnapshotRules(snapshots, questions)
    decision = decide(request, fresh.matches(request), questions)
    remembered = Remembered(fresh, limit=10)
    for _ in range(2):
        assert decide(request, remembered.matches(request), questions) == decision
    return decision


def _id(case: dict[str, Any]) -> str:
    return case["case"].replace(" ", "_")


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_a_host_that_asks_about_reach_alone_decides_as_the_table_says(case: dict[str, Any]) -> None:
    assert NAMES[type(_decide(case, REACH))] == case["reach"]


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_a_host_that_asks_both_questions_decides_as_the_table_says(case: dict[str, Any]) -> None:
    decision = _decide(case, REACH_AND_USE)
    assert NAMES[type(decision)] == case["use"]
    if isinstance(decision, Refusal):
        assert case.get("reason", "") in decision.sentence


def test_the_gateway_never_refuses_what_both_layers_permit() -> None:
    assert CASES
    assert not [case["case"] for case in CASES if case["use"] != "refuse" and case["reach"] != "permit"]
