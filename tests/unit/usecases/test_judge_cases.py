"""Cases of a policy against the rules that decide calls."""

from dataclasses import replace

from tests.unit.samples import AGENT, ALICE, ROW, TOOL, caller, server

from pierhead.core.approval import Approval
from pierhead.usecases.judge_cases import Judged, PolicyCase, judge_cases
from pierhead.usecases.memory import MemorySnapshots, snapshot_of

SNAPSHOTS = MemorySnapshots(snapshot_of([server(TOOL, replace(TOOL, name="drop", approval=Approval.APPROVE))], [ROW]))
CASE = PolicyCase("she reads", "cases.yaml, line 2", caller(ALICE), "warehouse", "run_query", {"sql": "x"}, "permit")


def judged(**changes: object) -> Judged:
    (found,) = judge_cases([replace(CASE, **changes)], SNAPSHOTS)
    return found


def test_a_case_holds_when_the_decision_the_rule_and_the_sentence_are_as_it_says() -> None:
    found = judged(rule="warehouse.access[0]", reason="may use run_query")
    assert found.is_good
    assert (found.got, found.rules) == ("permit", ("warehouse.access[0]", "warehouse.run_query.policy"))


def test_reach_alone_is_asked_where_no_tool_is_named() -> None:
    assert judged(tool="", reason="may reach").is_good
    assert judged(caller=caller(AGENT), tool="", expect="refuse").is_good


def test_a_tool_that_asks_first_is_an_approval_and_no_permit() -> None:
    assert judged(tool="drop", expect="approval").is_good
    assert judged(tool="drop").faults == ("expected permit, got approval: drop needs approval first: approve",)


def test_every_fault_of_a_case_is_told() -> None:
    found = judged(expect="refuse", rule="warehouse.access[9]", reason="nobody")
    assert [fault.split(" ")[0] for fault in found.faults] == ["expected", "rule", "the"]


def test_a_rule_is_missed_also_where_none_took_part() -> None:
    found = judged(caller=caller(AGENT), tool="", expect="refuse", rule="warehouse.access[0]")
    assert found.faults == ("rule warehouse.access[0] took no part; these did: none",)


def test_a_name_that_is_misspelt_is_never_a_refusal_as_expected() -> None:
    for changes in ({"server": "warehose"}, {"tool": "run_qery"}):
        found = judged(expect="refuse", **changes)
        assert (found.got, found.is_good) == ("nothing", False)
        assert found.faults[0].startswith("there is nothing to decide on")


def test_tools_that_nobody_could_tell_fail_with_the_reason() -> None:
    case = replace(CASE, tool="other")
    (found,) = judge_cases([case], SNAPSHOTS, {"warehouse": "warehouse cannot be built here"})
    assert found.faults == ("there is nothing to decide on: warehouse cannot be built here",)
