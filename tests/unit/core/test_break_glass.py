"""One record asks one person in place of two, and nothing else changes but that somebody must look at it."""

from dataclasses import replace

import pytest
from tests.approving import APPROVERS, proposal

from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Decided, decided, proposed
from pierhead.core.break_glass import (
    BROKEN,
    REVIEW_S,
    REVIEWED,
    glass_broken,
    glass_reviewed,
    review_due_at,
    why_not_break,
    why_not_review,
)
from pierhead.core.errors import Conflict

BREAKERS = frozenset({"on-call"})
ON_CALL = frozenset({"on-call", "platform-admin"})


def four_eyes(approval: Approval = Approval.FOUR_EYES) -> ApprovalRecord:
    return proposed("apr_1", proposal(approval=approval), APPROVERS, 100.0)


def broken(record: ApprovalRecord, at: float = 110.0) -> ApprovalRecord:
    return glass_broken(record, Decided("gina", "web", at, BROKEN, "it burns"))


def yes(person: str, at: float = 105.0) -> Decided:
    return Decided(person, "web", at, "approve")


def test_one_other_yes_is_enough_from_then_on() -> None:
    record = broken(four_eyes())
    assert (record.state, record.required, record.proposal.approval) == (ApprovalState.PENDING, 1, Approval.FOUR_EYES)
    assert decided(record, yes("frank", 120.0)).state is ApprovalState.APPROVED


def test_a_yes_that_is_there_already_is_enough() -> None:
    assert broken(decided(four_eyes(), yes("frank"))).state is ApprovalState.APPROVED


def test_what_is_over_cannot_be_broken() -> None:
    record = four_eyes()
    with pytest.raises(Conflict):
        broken(record, record.expires_at)


@pytest.mark.parametrize(
    ("record", "person", "groups", "said"),
    [
        (four_eyes(), "gina", ON_CALL, ""),
        (four_eyes(), "frank", frozenset({"platform-admin"}), "the glass is broken by on-call"),
        (four_eyes(), "alice", ON_CALL, "nobody breaks the glass for their own call"),
        (four_eyes(Approval.APPROVE), "gina", ON_CALL, "only what asks two people can be brought down to one"),
        (broken(four_eyes()), "gina", ON_CALL, "the glass of this approval is broken already"),
        (
            replace(four_eyes(), state=ApprovalState.DENIED),
            "gina",
            ON_CALL,
            "this approval is denied: there is nothing left to decide",
        ),
    ],
)
def test_who_may_break_it(record: ApprovalRecord, person: str, groups: frozenset[str], said: str) -> None:
    assert why_not_break(record, person, groups, BREAKERS) == said


def test_without_a_group_nobody_may() -> None:
    assert "approvals.break_glass names no group" in why_not_break(four_eyes(), "gina", ON_CALL, frozenset())


def test_it_is_reviewed_a_day_later_by_somebody_who_had_no_part_in_it() -> None:
    record = decided(broken(four_eyes()), yes("frank", 120.0))
    assert review_due_at(four_eyes()) is None
    assert review_due_at(record) == 110.0 + REVIEW_S
    auditors = frozenset({"auditors"})
    assert why_not_review(record, "carol", auditors, auditors) == ""
    assert why_not_review(record, "carol", ON_CALL, auditors) == "a broken glass is reviewed by auditors"
    assert why_not_review(record, "carol", ON_CALL, frozenset()) == "a broken glass is reviewed by nobody"
    for part in ("alice", "frank", "gina"):
        assert why_not_review(record, part, auditors, auditors) == "you had a part in it: somebody else must look"
    after = glass_reviewed(record, Decided("carol", "web", 200.0, REVIEWED, "it did burn"))
    assert (after.state, review_due_at(after)) == (record.state, None)
    assert why_not_review(after, "dave", auditors, auditors) == "nothing of this approval is to be reviewed"
    with pytest.raises(Conflict):
        glass_reviewed(after, Decided("dave", "web", 300.0, REVIEWED, "again"))
