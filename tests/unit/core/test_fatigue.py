"""Habits of deciding: counted by person and by rule, told from their thresholds on, and nothing is changed by them."""

from dataclasses import replace
from typing import Any

from tests.approving import APPROVERS, proposal

from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Decided, decided, proposed
from pierhead.core.fatigue import DAY_S, Thresholds, fatigue_of

START = DAY_S * 100


def record(
    number: int, person: str = "frank", after: float = 10.0, verdict: str = "approve", **more: Any
) -> ApprovalRecord:
    at = START + number
    asked = proposed(f"apr_{number}", proposal({"n": number}), APPROVERS, at)
    return decided(asked, Decided(person, more.get("how", "web"), at + after, verdict))


def waiting(number: int, state: ApprovalState) -> ApprovalRecord:
    return replace(proposed(f"apr_{number}", proposal({"n": number}), APPROVERS, START), state=state)


def test_nothing_says_nothing() -> None:
    found = fatigue_of([], Thresholds())
    assert (found.people, found.rules, found.records) == ((), (), 0)


def test_a_person_by_day_with_the_middle_of_their_times_and_the_share_they_denied() -> None:
    records = [record(0), record(1, after=20.0), record(2, after=60.0, verdict="deny"), record(int(DAY_S), after=8.0)]
    (frank,) = fatigue_of(records, Thresholds()).people
    assert (frank.decisions, frank.a_day, frank.busiest, frank.median_s, frank.denied) == (4, 2.0, 3, 15.0, 0.25)
    assert (frank.fast, frank.is_flagged) == (0, False)


def test_decisions_too_fast_to_have_been_read_are_flagged_once_they_repeat() -> None:
    records = [record(n, after=2.9) for n in range(2)] + [record(9, after=3.0), record(10, "gina")]
    frank, gina = fatigue_of(records, Thresholds()).people
    assert (frank.person, frank.fast, frank.is_flagged) == ("frank", 2, False)
    assert not gina.is_flagged
    assert fatigue_of([*records, record(11, after=0.5)], Thresholds()).people[0].is_flagged
    assert fatigue_of(records, Thresholds(fast_times=2)).people[0].is_flagged


def test_a_rule_that_is_always_approved_is_proposed_for_review_and_not_before_fifty_cases() -> None:
    yes = [record(n) for n in range(49)]
    assert not fatigue_of(yes, Thresholds()).rules[0].is_proposed
    (rule,) = fatigue_of([*yes, record(49)], Thresholds()).rules
    assert (rule.rule, rule.cases, rule.approved, rule.is_proposed) == ("drop_rows needs it", 50, 1.0, True)
    one_no = [*yes, record(49, verdict="deny")]
    (rule,) = fatigue_of(one_no, Thresholds()).rules
    assert (rule.approved, rule.denied, rule.is_proposed) == (0.98, 0.02, False)
    assert fatigue_of(one_no, Thresholds(cases=50, approved=0.97)).rules[0].is_proposed


def test_what_nobody_answered_counts_against_a_rule_and_what_was_withdrawn_for_nothing() -> None:
    unanswered = waiting(1, ApprovalState.EXPIRED)
    unused = replace(record(2), state=ApprovalState.EXPIRED)
    silent = [waiting(3, ApprovalState.CANCELLED), waiting(4, ApprovalState.PENDING)]
    (rule,) = fatigue_of([unanswered, unused, *silent], Thresholds()).rules
    assert (rule.cases, rule.approved, rule.expired, rule.median_s) == (2, 0.5, 0.5, 10.0)
    (alone,) = fatigue_of([unanswered], Thresholds()).rules
    assert alone.median_s is None


def test_a_call_waits_until_its_last_yes_and_as_long_as_it_may_if_nobody_answers() -> None:
    two = replace(proposed("apr_9", proposal({"n": 9}, Approval.FOUR_EYES), APPROVERS, START), required=2)
    for who, after in (("frank", 30.0), ("henry", 90.0)):
        two = decided(two, Decided(who, "web", START + after, "approve"))
    (rule,) = fatigue_of([two], Thresholds()).rules
    assert (rule.median_s, rule.waited_s) == (60.0, 90.0)
    (rule,) = fatigue_of([waiting(1, ApprovalState.EXPIRED)], Thresholds()).rules
    assert (rule.median_s, rule.waited_s) == (None, 3600.0)


def test_what_a_remembered_choice_decided_counts_for_nobody() -> None:
    found = fatigue_of([record(1, how="remembered")], Thresholds())
    assert (found.people, found.rules, found.records) == ((), (), 1)


def test_a_call_without_a_rule_counts_all_the_same() -> None:
    bare = record(1)
    bare = replace(bare, proposal=replace(bare.proposal, reasons=()))
    assert fatigue_of([bare], Thresholds()).rules[0].rule == ""
