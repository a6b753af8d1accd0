"""Classes by reviewed rules: what raises, what lowers, and what nobody can tell."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.registry_in_memory import Declared
from tests.unit.samples import AGENT, ALICE, ROW, TOOL, call, caller, server

from pierhead.core.approval import Approval
from pierhead.core.approval_record import proposal_of
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.call import Parsed, Request
from pierhead.core.catalog import Effect, Tool
from pierhead.core.condition import parse_condition
from pierhead.core.errors import Invalid
from pierhead.core.foreseen import Estimate, Foreseen
from pierhead.core.identity import Both, Caller
from pierhead.core.policy import ApprovalNeeded, Decision, Permit, Refusal, decide
from pierhead.core.reach import EVERY
from pierhead.core.rule import parse_who
from pierhead.usecases.approval_rule_forms import rule_from_form, rule_to_form
from pierhead.usecases.check_entry import check_entry
from pierhead.usecases.match_rules import REACH_AND_USE, Remembered, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.wire_forms import Manifest

PURGE = replace(TOOL, name="purge", effect=Effect.DESTRUCTIVE, approval=Approval.APPROVE)
BASE = ApprovalRule(0, Approval.CONFIRM, False, EVERY, EVERY, EVERY, EVERY, EVERY, ())


def raising(approval: str, *when: str, **members: Any) -> ApprovalRule:
    return replace(BASE, approval=Approval(approval), when=tuple(map(parse_condition, when)), **members)


def lowering(approval: str, **members: Any) -> ApprovalRule:
    return replace(BASE, approval=Approval(approval), lowers=True, **members)


def decided(
    tool: Tool, asking: Caller | None = None, values: dict[str, Any] | None = None, **foreseen: Any
) -> Decision:
    on = server(tool)
    made = call(tool.name, values)
    if values is not None:
        assert isinstance(made.arguments, Parsed)
        made = made.with_arguments(replace(made.arguments, foreseen=Foreseen(**foreseen)))
    request = Request(made, asking or caller(), on, tool, 1)
    rules = Remembered(SnapshotRules(MemorySnapshots(snapshot_of([on], (ROW,))), REACH_AND_USE), 10)
    return decide(request, rules.matches(request), REACH_AND_USE)


def asked(decision: Decision) -> Approval:
    return decision.approval if isinstance(decision, ApprovalNeeded) else Approval.NONE


def with_rules(tool: Tool, *rules: ApprovalRule) -> Tool:
    return replace(tool, rules=tuple(replace(rule, place=place) for place, rule in enumerate(rules)))


def test_an_estimate_above_the_rule_raises_and_one_below_does_not() -> None:
    tool = with_rules(TOOL, raising("confirm", "estimate.rows > 1000000"), raising("approve", "estimate.rows > 1e9"))
    for rows, wanted in ((5, "none"), (1_000_001, "confirm"), (2e9, "approve")):
        assert asked(decided(tool, values={}, estimate=Estimate(rows=rows))) == wanted, rows


def test_a_missing_estimate_counts_as_the_highest_and_says_so() -> None:
    tool = with_rules(TOOL, raising("confirm", "estimate.rows > 1000000"), raising("approve", "estimate.rows > 1e9"))
    for missing in ({}, {"estimate": Estimate()}, {"estimate": Estimate(rows=float("nan"))}):
        found = decided(tool, values={}, **missing)
        assert asked(found) is Approval.APPROVE
        assert any("so it counts as if it held" in match.sentence for match in found.reasons)


def test_a_caller_who_names_an_argument_estimate_lowers_nothing() -> None:
    tool = with_rules(TOOL, raising("approve", "estimate.rows > 10"))
    assert asked(decided(tool, values={"estimate": {"rows": 1}})) is Approval.APPROVE


def test_no_estimate_lowers_what_is_declared() -> None:
    """A server that lies about what its calls take: the declared class stands whatever it says."""
    tool = with_rules(PURGE, raising("four-eyes", "estimate.rows > 10"))
    for rows in (0, -5, float("nan"), 11):
        found = asked(decided(tool, values={}, estimate=Estimate(rows=rows)))
        assert found.rank >= Approval.APPROVE.rank


def test_a_reviewed_rule_lowers_where_it_says_and_nowhere_else() -> None:
    tool = with_rules(PURGE, lowering("confirm", environments=frozenset({"dev"}), who=parse_who("group:data-eng")))
    assert asked(decided(tool, caller(environment="dev"), {})) is Approval.CONFIRM
    assert asked(decided(tool, caller(environment="prod"), {})) is Approval.APPROVE
    found = decided(tool, caller(environment="dev"), {})
    assert [match.rule for match in found.reasons if match.effect == "lower"] == ["warehouse.purge.approvals[0]"]
    outsider = caller(replace(ALICE, groups=frozenset({"ads"})), environment="dev")
    assert not isinstance(decided(tool, outsider, {}), ApprovalNeeded | Permit)


def test_an_argument_that_is_called_environment_chooses_none() -> None:
    tool = with_rules(PURGE, lowering("confirm", environments=frozenset({"dev"})))
    assert asked(decided(tool, caller(environment="prod"), {"environment": "dev"})) is Approval.APPROVE


def test_where_a_program_speaks_for_a_person_both_must_be_lowered() -> None:
    tool = with_rules(PURGE, lowering("confirm", who=parse_who("group:data-eng")))
    assert asked(decided(tool, caller(Both(ALICE, AGENT)), {})) is Approval.NONE  # the program has no permit at all
    open_to = replace(tool, policy=parse_who(f"group:data-eng or workload:{AGENT.spiffe_id}"))
    rows = (replace(ROW, who=open_to.policy),)
    on, made = server(open_to), call("purge", {})
    request = Request(made, caller(Both(ALICE, AGENT)), on, open_to, 1)
    rules = SnapshotRules(MemorySnapshots(snapshot_of([on], rows)), REACH_AND_USE)
    assert asked(decide(request, rules.matches(request), REACH_AND_USE)) is Approval.APPROVE


def test_what_raises_stands_beside_what_lowers() -> None:
    tool = with_rules(PURGE, lowering("confirm"), raising("four-eyes", "limit > 100"))
    assert asked(decided(tool, values={"limit": 5})) is Approval.CONFIRM
    assert asked(decided(tool, values={"limit": 500})) is Approval.FOUR_EYES


def test_a_tool_that_is_lowered_to_none_runs_and_tells_by_what_rule() -> None:
    tool = with_rules(replace(TOOL, approval=Approval.CONFIRM), lowering("none"))
    found = decided(tool, values={})
    assert isinstance(found, Permit)
    assert any("the fleet lowers that to none" in match.sentence for match in found.reasons)


def test_a_rule_without_conditions_raises_for_whom_it_names() -> None:
    tool = with_rules(TOOL, raising("approve", surfaces=frozenset({"agent"})))
    assert asked(decided(tool, caller(surface="agent"), {})) is Approval.APPROVE
    assert isinstance(decided(tool, caller(surface="ide"), {}), Permit)


def test_a_rule_may_deny_and_arguments_that_were_not_read_wait_instead() -> None:
    tool = with_rules(TOOL, raising("deny", 'table == "users"'))
    assert isinstance(decided(tool, values={"table": "users"}), Refusal)
    assert isinstance(decided(tool, values={"table": "weather"}), Permit)
    assert asked(decided(tool)) is Approval.FOUR_EYES


def test_every_condition_of_a_rule_must_hold_or_be_unknown() -> None:
    tool = with_rules(TOOL, raising("approve", "estimate.rows > 10", "limit > 5"))
    assert isinstance(decided(tool, values={"limit": 1}), Permit)
    assert asked(decided(tool, values={"limit": 6})) is Approval.APPROVE


def test_a_rule_survives_its_form_and_one_that_lowers_by_arguments_is_none() -> None:
    whole = lowering("confirm", who=parse_who("group:ads"), tools=frozenset({"purge"}), surfaces=frozenset({"ide"}))
    for rule in (BASE, whole, raising("approve", "limit > 1")):
        assert rule_from_form(rule_to_form(rule)) == rule
    form = {**rule_to_form(whole), "when": ["limit > 1"]}
    for broken in (form, {**rule_to_form(BASE), "more": 1}, {"approval": "confirm"}):
        with pytest.raises(Invalid) as refused:
            rule_from_form(broken)
        assert refused.value.code == "wire-form"


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (raising("approve", tools=frozenset({"typo"})), "names tools that it does not have: typo"),
        (raising("approve", "limit > 1"), "reads what purge is never given: limit"),
        (raising("approve", "estimate.euros > 1"), "what nobody estimates: there is rows, bytes, tasks, cost"),
        (lowering("none", tools=frozenset({"purge"})), "what is destructive needs at least confirm"),
    ],
)
def test_a_rule_that_fits_no_tool_is_refused(rule: ApprovalRule, why: str) -> None:
    with pytest.raises(Invalid, match=why.replace("[", r"\[")) as refused:
        check_entry(Declared(narrowed={}, approval_rules=(rule,)), Manifest("1", "", "", (PURGE,)))
    assert refused.value.code == "bad-approval-rule"


def test_a_rule_by_estimates_and_one_that_lowers_to_confirm_fit() -> None:
    rules = (raising("approve", "estimate.rows > 1"), lowering("confirm", tools=frozenset({"purge"})))
    check_entry(Declared(narrowed={}, approval_rules=rules), Manifest("1", "", "", (PURGE,)))


def test_the_record_keeps_an_estimate_as_words_and_only_where_people_may_read_it() -> None:
    tool = with_rules(TOOL, raising("approve", "estimate.rows > 10"))
    for estimate, cost in ((Estimate(rows=12), "some; rows: 12"), (Estimate(rows=12, is_told=False), "some")):
        needed = decided(tool, values={}, estimate=estimate, cost="some")
        assert isinstance(needed, ApprovalNeeded)
        kept = proposal_of(needed).foreseen
        assert (kept.cost, kept.estimate) == (cost, None)
