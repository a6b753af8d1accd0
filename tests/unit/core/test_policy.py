"""decide: a matching forbid refuses; then no permit means no; then the strictest ask applies."""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import samples
from tests.unit.samples import AGENT, ALICE, TOOL, call, caller, match, request

from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect
from pierhead.core.identity import ANONYMOUS, Both, Party, Principal, User, Workload, parties
from pierhead.core.policy import (
    DENIED,
    ApprovalNeeded,
    Match,
    Permit,
    Question,
    Refusal,
    RuleEffect,
    decide,
    inputs_digest,
    intrinsic,
)

BOTH_QUESTIONS = frozenset({Question.REACH, Question.USE})
REACH = match(RuleEffect.PERMIT, Question.REACH)
USE = match(RuleEffect.PERMIT, Question.USE)
FORBID = match(RuleEffect.FORBID, Question.USE)


def _asking(approval: Approval) -> Match:
    return match(RuleEffect.ASK, Question.USE, approval=approval)


def test_a_permit_for_every_question_is_a_permit_that_carries_its_reasons() -> None:
    asked = request()
    assert decide(asked, [REACH, USE], BOTH_QUESTIONS) == Permit(asked, (REACH, USE))


def test_no_match_means_no() -> None:
    decision = decide(request(), [], BOTH_QUESTIONS)
    assert isinstance(decision, Refusal)
    assert decision.sentence == "no rule lets alice reach it as a person"
    assert decision.whom_to_ask == "ask data-platform in #data-help"


def test_a_permit_to_reach_is_no_permit_to_use() -> None:
    decision = decide(request(), [REACH], BOTH_QUESTIONS)
    assert isinstance(decision, Refusal)
    assert decision.question is Question.USE


def test_a_forbid_refuses_with_its_own_sentence() -> None:
    decision = decide(request(), [REACH, USE, FORBID], BOTH_QUESTIONS)
    assert isinstance(decision, Refusal)
    assert (decision.question, decision.sentence) == (Question.USE, FORBID.sentence)


def test_the_strictest_ask_applies() -> None:
    asks = [_asking(Approval.CONFIRM), _asking(Approval.FOUR_EYES), _asking(Approval.APPROVE)]
    decision = decide(request(), [REACH, USE, *asks], BOTH_QUESTIONS)
    assert isinstance(decision, ApprovalNeeded)
    assert decision.approval is Approval.FOUR_EYES


def test_an_ask_for_deny_refuses() -> None:
    decision = decide(request(), [REACH, USE, _asking(Approval.DENY), _asking(Approval.CONFIRM)], BOTH_QUESTIONS)
    assert isinstance(decision, Refusal)
    assert decision.sentence == "policy denies this call: a rule asks use"
    assert decision.code == DENIED


def test_a_denial_is_told_to_nobody_whom_a_forbid_hides_the_tool_from() -> None:
    hidden = decide(
        request(), [REACH, USE, _asking(Approval.DENY), match(RuleEffect.FORBID, Question.USE)], BOTH_QUESTIONS
    )
    assert isinstance(hidden, Refusal)
    assert hidden.code == ""
    unknown = decide(request(), [REACH, _asking(Approval.DENY)], BOTH_QUESTIONS)
    assert isinstance(unknown, Refusal)
    assert unknown.code == ""


def test_what_a_rule_lowers_permits_nothing_and_asks_nothing() -> None:
    lower = match(RuleEffect.LOWER, Question.USE, approval=Approval.FOUR_EYES)
    assert isinstance(decide(request(), [REACH, lower], BOTH_QUESTIONS), Refusal)
    assert isinstance(decide(request(), [REACH, USE, lower], BOTH_QUESTIONS), Permit)


def test_an_ask_that_names_no_approval_refuses_rather_than_permits() -> None:
    assert isinstance(decide(request(), [REACH, USE, _asking(Approval.NONE)], BOTH_QUESTIONS), Refusal)


def test_an_approval_on_a_permit_asks_nothing() -> None:
    permit = match(RuleEffect.PERMIT, Question.USE, approval=Approval.APPROVE)
    assert isinstance(decide(request(), [REACH, permit], BOTH_QUESTIONS), Permit)


def test_nobody_calls_anything() -> None:
    decision = decide(request(ANONYMOUS), [REACH, USE], BOTH_QUESTIONS)
    assert isinstance(decision, Refusal)
    assert decision.sentence == "nobody is signed in"


def test_a_host_that_asks_no_question_permits_nothing() -> None:
    assert isinstance(decide(request(), [REACH, USE], frozenset()), Refusal)


@pytest.mark.parametrize("effect", [Effect.WRITE, Effect.DESTRUCTIVE])
def test_a_workload_alone_may_only_read(effect: Effect) -> None:
    all_permits = [match(RuleEffect.PERMIT, question, Party.WORKLOAD) for question in Question]
    writing = replace(TOOL, effect=effect)
    assert isinstance(decide(request(AGENT), all_permits, BOTH_QUESTIONS), Permit)
    refused = decide(request(AGENT, writing), all_permits, BOTH_QUESTIONS)
    assert isinstance(refused, Refusal)
    assert refused.reasons[-1].rule == "intrinsic.workload-reads-only"
    assert intrinsic(request(Both(ALICE, AGENT), writing)) == ()


def test_a_workload_alone_may_write_drafts_and_nothing_destructive() -> None:
    assert intrinsic(request(AGENT, replace(TOOL, effect=Effect.WRITE, drafts=True))) == ()
    assert intrinsic(request(AGENT, replace(TOOL, effect=Effect.DESTRUCTIVE, drafts=True))) != ()


def test_drafts_open_nothing_that_no_rule_permits() -> None:
    drafting = replace(TOOL, effect=Effect.WRITE, drafts=True)
    assert isinstance(decide(request(AGENT, drafting), [], BOTH_QUESTIONS), Refusal)


@given(samples.principals, samples.matches, samples.questions)
def test_nothing_is_permitted_without_a_permit_for_every_question_and_party(
    principal: Principal, matches: list[Match], questions: frozenset[Question]
) -> None:
    decision = decide(request(principal), matches, questions)
    if isinstance(decision, Refusal):
        return
    given_permits = {(found.question, found.party) for found in matches if found.effect is RuleEffect.PERMIT}
    needed = {(question, party) for question in questions for party in parties(principal)}
    assert needed
    assert needed <= given_permits
    assert all(found.effect is not RuleEffect.FORBID for found in matches)


@given(samples.principals, samples.matches, samples.questions, st.sampled_from(Question), st.sampled_from(Party))
def test_a_forbid_always_refuses(
    principal: Principal, matches: list[Match], questions: frozenset[Question], question: Question, party: Party
) -> None:
    forbid = match(RuleEffect.FORBID, question, party)
    assert isinstance(decide(request(principal), [*matches, forbid], questions), Refusal)


@given(samples.principals, samples.matches, samples.questions, samples.matches)
def test_more_permits_never_override_a_forbid_or_an_ask(
    principal: Principal, matches: list[Match], questions: frozenset[Question], more: list[Match]
) -> None:
    permits = [found for found in more if found.effect is RuleEffect.PERMIT]
    before = decide(request(principal), matches, questions)
    after = decide(request(principal), [*matches, *permits], questions)
    if any(found.effect is RuleEffect.FORBID for found in matches):
        assert isinstance(after, Refusal)
    if isinstance(before, ApprovalNeeded):
        assert isinstance(after, ApprovalNeeded)
        assert after.approval is before.approval


@given(samples.principals, samples.matches, samples.questions, samples.matches)
def test_more_forbids_and_asks_never_widen(
    principal: Principal, matches: list[Match], questions: frozenset[Question], more: list[Match]
) -> None:
    narrowing = [found for found in more if found.effect is not RuleEffect.PERMIT]
    before = decide(request(principal), matches, questions)
    after = decide(request(principal), [*matches, *narrowing], questions)
    if isinstance(before, Refusal):
        assert isinstance(after, Refusal)
    if isinstance(before, ApprovalNeeded):
        assert not isinstance(after, Permit)


@given(samples.matches, samples.questions, st.randoms(use_true_random=False))
def test_the_order_of_the_rules_does_not_matter(
    matches: list[Match], questions: frozenset[Question], chance: object
) -> None:
    shuffled = list(matches)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = decide(request(), matches, questions), decide(request(), shuffled, questions)
    assert type(one) is type(other)
    if isinstance(one, ApprovalNeeded) and isinstance(other, ApprovalNeeded):
        assert one.approval is other.approval


@given(samples.boths, samples.matches, samples.questions)
def test_a_person_through_a_workload_may_at_most_what_both_may(
    both: Both, matches: list[Match], questions: frozenset[Question]
) -> None:
    """Each alone is judged by the matches that speak of it: that is what a rule engine would find for it."""
    if not isinstance(decide(request(both), matches, questions), Permit):
        return
    of_person = [found for found in matches if found.party is Party.PERSON]
    of_workload = [found for found in matches if found.party is Party.WORKLOAD]
    assert isinstance(decide(request(both.user), of_person, questions), Permit)
    assert isinstance(decide(request(Workload(both.workload.spiffe_id)), of_workload, questions), Permit)


VARIED: Final = {
    "principal": caller(Both(ALICE, AGENT)),
    "issuer": caller(replace(ALICE, issuer="https://other.example")),
    "subject": caller(replace(ALICE, subject="bob")),
    "groups": caller(replace(ALICE, groups=frozenset({"ads"}))),
    "more groups": caller(replace(ALICE, groups=frozenset({"data-eng", "ads"}))),
    "claims": caller(replace(ALICE, claims=(("region", "EU"),))),
    "workload": caller(AGENT),
    "another workload": caller(Workload("spiffe://demo.example/other")),
    "nobody": caller(ANONYMOUS),
    "surface": caller(surface="chat"),
    "environment": caller(environment="production"),
    "channel": caller(channel="help"),
}


def test_the_digest_of_inputs_tells_every_two_inputs_apart() -> None:
    asked = request()
    varied = [replace(asked, caller=each) for each in VARIED.values()]
    varied.append(replace(asked, server=replace(asked.server, name="other")))
    varied.append(replace(asked, server=replace(asked.server, version="2")))
    varied.append(replace(asked, tool=replace(asked.tool, name="other")))
    varied.append(replace(asked, call=call(values={"limit": 1})))
    varied.append(replace(asked, call=call(values={"limit": 2})))
    varied.append(replace(asked, revision=2))
    digests = {inputs_digest(each) for each in (asked, *varied)}
    assert len(digests) == len(varied) + 1
    assert all(len(each) == 64 for each in digests)
    assert inputs_digest(asked) == inputs_digest(request())


def test_what_no_decision_reads_is_no_input() -> None:
    asked = request()
    other = replace(asked.call, id="call-2", era="2025-11-25", client="another")
    assert inputs_digest(replace(asked, call=other)) == inputs_digest(asked)
    traced = replace(asked.caller, correlation_id="another")
    assert inputs_digest(replace(asked, caller=traced)) == inputs_digest(asked)


def test_parts_of_inputs_cannot_run_into_each_other() -> None:
    one = caller(replace(ALICE, subject="a", groups=frozenset({"b"})), "c1:d", "e")
    two = caller(replace(ALICE, subject="a", groups=frozenset({"b"})), "c", "1:d1:e")
    asked = request()
    assert inputs_digest(replace(asked, caller=one)) != inputs_digest(replace(asked, caller=two))
    assert inputs_digest(replace(asked, caller=caller(surface="\ud800")))


def test_a_forbid_tells_its_code_only_to_whom_nothing_else_stops() -> None:
    use = match(RuleEffect.FORBID, Question.USE)
    drift, other = replace(use, rule="drift", code="definition_drift"), replace(use, rule="later", code="other")
    told = decide(request(), [drift, other, REACH, USE], BOTH_QUESTIONS)
    assert isinstance(told, Refusal)
    assert (told.code, told.sentence) == ("definition_drift", drift.sentence)
    for matches in ([drift, use, REACH, USE], [use, drift, REACH, USE], [drift, REACH], [drift]):
        refused = decide(request(), matches, BOTH_QUESTIONS)
        assert isinstance(refused, Refusal)
        assert refused.code == ""


def test_inputs_that_could_run_into_each_other_have_digests_of_their_own() -> None:
    """A person whose groups are named as what follows them, and that person through a workload."""
    crowded = User(samples.ISSUER, "alice", frozenset({"!", "()", "workload"}))
    through = Both(User(samples.ISSUER, "alice", frozenset({"!"})), Workload("()"))
    assert inputs_digest(request(crowded)) != inputs_digest(request(through))
