"""One approval: what it pins, who may decide, and what can happen to it."""

import json
import random
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.approving import APPROVERS, GROUPS, needed, proposal
from tests.unit.samples import AGENT, ALICE, ISSUER, call

from pierhead.core.approval import APPROVAL_MOVES, OPEN_STATES, Approval, ApprovalMove, ApprovalState, moved
from pierhead.core.approval_record import (
    LARGEST_ARGUMENTS,
    ApprovalRecord,
    Decided,
    as_of,
    cancelled,
    decided,
    fingerprint,
    finished,
    lost,
    proposal_of,
    proposed,
    settled,
    spent,
    superseded,
    why_not,
)
from pierhead.core.errors import Conflict, Invalid
from pierhead.core.identity import Both, User

NOW = 1_000.0
YES = Decided("frank", "web", NOW, "approve")
NO = Decided("frank", "web", NOW, "deny", "not today")


def record(approval: Approval = Approval.APPROVE, **changes: Any) -> ApprovalRecord:
    return replace(proposed("apr_1", proposal(approval=approval), APPROVERS, NOW), **changes)


def test_every_move_leads_where_the_table_says_and_no_other_is_possible() -> None:
    for state in ApprovalState:
        for move in ApprovalMove:
            if (state, move) in APPROVAL_MOVES:
                assert moved(state, move) is APPROVAL_MOVES[state, move]
            else:
                with pytest.raises(Conflict) as refused:
                    moved(state, move)
                assert refused.value.code == "approval-state"


def test_nothing_leads_back_to_where_a_call_could_run_again() -> None:
    reached = {ApprovalState.EXECUTING}
    for _ in ApprovalState:
        reached |= {target for (source, _), target in APPROVAL_MOVES.items() if source in reached}
    assert ApprovalState.APPROVED not in reached
    assert ApprovalState.PENDING not in reached
    assert {state for state in ApprovalState if state not in OPEN_STATES} == {
        source for source in ApprovalState if not any(source is start for start, _ in APPROVAL_MOVES)
    }


SAME = {"table": "flights", "rows": 3, "deep": {"a": 1, "b": [1, 2.5]}}


def test_the_form_of_the_arguments_changes_no_fingerprint_and_their_meaning_does() -> None:
    asked = fingerprint(needed(SAME))
    assert fingerprint(needed({"deep": {"b": [1.0, 2.50], "a": 1}, "rows": 3.0, "table": "flights"})) == asked
    others = (
        {**SAME, "rows": 4},
        {**SAME, "table": "fl\u0456ghts"},  # a Cyrillic letter
        {**SAME, "table": "flights "},
        {**SAME, "more": None},
        {"table": "flights", "rows": "3", "deep": SAME["deep"]},
        {**SAME, "deep": {"a": 1, "b": [2.5, 1]}},
    )
    assert len({fingerprint(needed(other)) for other in others} | {asked}) == len(others) + 1


_KEYS = st.text(st.sampled_from('abz\u00e9\u20ac\U0001f600"\\\n'), max_size=4)
_ARGUMENTS = st.dictionaries(
    _KEYS,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e9, 1e9) | _KEYS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


def _written_otherwise(value: Any, chance: random.Random) -> str:
    """The same JSON by another hand: members shuffled, blanks between, letters escaped, numbers in another form."""
    gap = chance.choice(("", " ", "\n\t"))
    match value:
        case dict():
            members = [
                f"{json.dumps(name, ensure_ascii=chance.random() < 0.5)}{gap}:{gap}{_written_otherwise(member, chance)}"
                for name, member in value.items()
            ]
            return "{" + f"{gap},{gap}".join(chance.sample(members, len(members))) + "}"
        case list():
            return f"[{gap}" + f",{gap}".join(_written_otherwise(item, chance) for item in value) + "]"
        case bool() | None:
            return json.dumps(value)
        case int():
            return chance.choice((f"{value}", f"{value}.0", f"{value}e0", f"{value}0E-1"))
        case float():
            return chance.choice((repr(value), f"{value!r}".replace("e", "E"), f"{value:.25e}"))
        case _:
            return "".join(f"\\u{unit:04x}" for unit in _units(value)).join('""') if gap else json.dumps(value)


def _units(text: str) -> tuple[int, ...]:
    raw = text.encode("utf-16-be")
    return struct.unpack(f">{len(raw) // 2}H", raw)


@given(_ARGUMENTS, st.integers(0, 2**32))
def test_however_the_same_arguments_are_written_they_are_one_call(values: dict[str, Any], seed: int) -> None:
    again = json.loads(_written_otherwise(values, random.Random(seed)))  # noqa: S311 - chance, no secret
    assert fingerprint(needed(again)) == fingerprint(needed(values))
    assert proposal_of(needed(again)).call_key == proposal_of(needed(values)).call_key


@given(_ARGUMENTS, _ARGUMENTS)
def test_arguments_that_mean_something_else_are_another_call(values: dict[str, Any], others: dict[str, Any]) -> None:
    is_same = fingerprint(needed(values)) == fingerprint(needed(others))
    assert is_same == (_typed(values) == _typed(others))


def _typed(value: Any) -> Any:
    """The value as JSON means it: numbers are one kind, true is no number, 0 has no sign."""
    match value:
        case dict():
            return {name: _typed(member) for name, member in value.items()}
        case list():
            return [_typed(item) for item in value]
        case bool():
            return ("bool", value)
        case int() | float():
            return ("number", float(value) + 0.0)
        case _:
            return value


def test_a_composed_letter_is_another_argument_than_a_decomposed_one() -> None:
    assert fingerprint(needed({"t": "\u00e9"})) != fingerprint(needed({"t": "e\u0301"}))


def test_version_class_rule_person_workload_and_environment_change_the_fingerprint() -> None:
    asked = needed(SAME)
    there = replace(asked.request, caller=replace(asked.request.caller, environment="prod"))
    differing = [
        needed(SAME, version="1.0.1"),
        needed(SAME, Approval.FOUR_EYES),
        needed(SAME, sentence="another rule"),
        needed(SAME, principal=User(ISSUER, "bob", frozenset())),
        needed(SAME, principal=Both(ALICE, AGENT)),
        needed(SAME, principal=User("https://other", "alice", frozenset())),
        replace(asked, request=there),
        replace(asked, request=replace(asked.request, server=replace(asked.request.server, instructions="new"))),
    ]
    assert len({fingerprint(each) for each in (asked, *differing)}) == len(differing) + 1


def test_what_changes_elsewhere_in_the_policy_changes_no_fingerprint() -> None:
    asked = needed(SAME)
    later = replace(asked, request=replace(asked.request, revision=99))
    assert fingerprint(later) == fingerprint(asked)
    assert fingerprint(replace(asked, reasons=asked.reasons * 2)) == fingerprint(asked)


def test_arguments_are_shown_whole_but_for_secrets() -> None:
    values = {"sql": "x" * 9000, "password": "hunter2", "list": [{"api_key": "k", "n": 1}], "n": 5, "none": None}
    shown = proposal_of(needed(values)).shown
    assert shown == {**values, "password": "[secret]", "list": [{"api_key": "[secret]", "n": 1}]}


def test_what_a_person_could_not_read_cannot_be_asked_for() -> None:
    with pytest.raises(Invalid) as refused:
        proposal_of(needed({"sql": "x" * LARGEST_ARGUMENTS}))
    assert refused.value.code == "too-large-to-approve"
    unread = needed()
    unread = replace(unread, request=replace(unread.request, call=call()))
    with pytest.raises(Invalid):
        proposal_of(unread)
    assert fingerprint(unread) != fingerprint(needed())


def test_a_proposal_names_who_asks_and_why() -> None:
    asked = proposal_of(needed(SAME, principal=Both(ALICE, AGENT)))
    assert (asked.person, asked.issuer, asked.requester) == ("alice", ISSUER, f"alice via {AGENT.spiffe_id}")
    assert asked.reasons == ("drop_rows needs it",)
    alone = proposal_of(needed(SAME, principal=AGENT))
    assert (alone.person, alone.issuer) == ("", "")


@pytest.mark.parametrize("approval", [Approval.NONE, Approval.DENY])
def test_a_class_that_asks_nobody_makes_no_record(approval: Approval) -> None:
    with pytest.raises(Invalid) as refused:
        proposed("apr_1", proposal(approval=approval), APPROVERS, NOW)
    assert refused.value.code == "bad-approval"


@pytest.mark.parametrize(
    ("approval", "name", "reason"),
    [
        (Approval.APPROVE, "frank", ""),
        (Approval.APPROVE, "alice", "nobody approves their own call"),
        (Approval.APPROVE, "bob", "this is decided by platform-admin"),
        (Approval.FOUR_EYES, "gina", ""),
        (Approval.CONFIRM, "alice", ""),
        (Approval.CONFIRM, "frank", "a confirmation is for the one who asked"),
    ],
)
def test_who_may_decide(approval: Approval, name: str, reason: str) -> None:
    assert why_not(record(approval), name, GROUPS[name]) == reason


def test_an_approver_who_asked_cannot_approve_their_own_call() -> None:
    own = record(proposal=replace(proposal(), person="frank"))
    assert why_not(own, "frank", GROUPS["frank"]) == "nobody approves their own call"


def test_without_a_group_nobody_decides() -> None:
    assert why_not(record(approvers=()), "frank", GROUPS["frank"]).startswith("this is decided by nobody")


def test_a_closed_approval_is_decided_by_nobody() -> None:
    assert "nothing left" in why_not(decided(record(), YES), "gina", GROUPS["gina"])


def test_one_yes_approves_and_one_no_denies() -> None:
    assert decided(record(), YES).state is ApprovalState.APPROVED
    denied = decided(record(), NO)
    assert (denied.state, denied.ended) == (ApprovalState.DENIED, "not today")


def test_four_eyes_take_two_different_people() -> None:
    once = decided(record(Approval.FOUR_EYES), YES)
    assert once.state is ApprovalState.PENDING
    assert why_not(once, "frank", GROUPS["frank"]) == "you decided already: somebody else must agree"
    assert decided(once, YES).state is ApprovalState.PENDING
    assert decided(once, replace(YES, by="gina")).state is ApprovalState.APPROVED
    assert decided(once, replace(NO, by="gina")).state is ApprovalState.DENIED


def test_an_unknown_verdict_is_no_decision() -> None:
    with pytest.raises(Invalid):
        decided(record(), replace(YES, verdict="maybe"))


def test_a_yes_that_comes_too_late_counts_for_nothing() -> None:
    late = replace(YES, at=record().expires_at)
    with pytest.raises(Conflict):
        decided(record(), late)
    assert as_of(record(), record().expires_at).state is ApprovalState.EXPIRED
    assert as_of(record(), record().expires_at - 0.001).state is ApprovalState.PENDING
    with pytest.raises(Conflict):
        spent(decided(record(), YES), record().proposal.digest, "c", record().expires_at)


def test_an_approval_is_spent_once_and_for_its_own_call_alone() -> None:
    approved = decided(record(), YES)
    used = spent(approved, approved.proposal.digest, "call-1", NOW + 1)
    assert (used.state, used.call_id, used.spent_at, used.due_at) == (
        ApprovalState.EXECUTING,
        "call-1",
        NOW + 1,
        NOW + 1 + 30 + 60,
    )
    with pytest.raises(Conflict):
        spent(used, approved.proposal.digest, "call-2", NOW + 1)
    with pytest.raises(Conflict) as other:
        spent(approved, "f" * 64, "call-1", NOW + 1)
    assert other.value.code == "approval-differs"
    with pytest.raises(Conflict):
        spent(record(), record().proposal.digest, "call-1", NOW + 1)


def test_only_the_call_that_spent_it_says_how_it_ended() -> None:
    used = spent(decided(record(), YES), record().proposal.digest, "call-1", NOW)
    assert finished(used, "call-1", "ok").state is ApprovalState.CONSUMED
    assert lost(used, "call-1", "gone").state is ApprovalState.FAILED_UNKNOWN
    with pytest.raises(Conflict):
        finished(used, "call-2", "ok")
    with pytest.raises(Conflict):
        lost(used, "call-2", "gone")


def test_a_call_that_never_ends_is_lost_and_a_person_settles_it() -> None:
    used = spent(decided(record(), YES), record().proposal.digest, "call-1", NOW)
    assert as_of(used, used.due_at - 0.001) is used
    gone = as_of(used, used.due_at)
    assert (gone.state, gone.moves_at) == (ApprovalState.FAILED_UNKNOWN, None)
    known = settled(gone, replace(YES, verdict="settle", comment="it ran"), NOW)
    assert (known.state, known.ended) == (ApprovalState.CONSUMED, "settled: it ran")
    assert known.people == ("alice", "frank")


def test_what_waits_can_be_withdrawn_and_superseded() -> None:
    assert cancelled(record(), NOW).state is ApprovalState.CANCELLED
    assert superseded(decided(record(), YES), "why").state is ApprovalState.SUPERSEDED
    with pytest.raises(Conflict):
        cancelled(record(), record().expires_at)


@given(st.lists(st.sampled_from([*ApprovalMove]), max_size=12))
def test_no_sequence_of_moves_runs_a_call_twice(moves: list[ApprovalMove]) -> None:
    state, runs = ApprovalState.PENDING, 0
    for move in moves:
        try:
            state = moved(state, move)
        except Conflict:
            continue
        runs += move is ApprovalMove.SPEND
    assert runs <= 1
