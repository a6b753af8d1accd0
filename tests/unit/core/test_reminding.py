"""When the people who are asked to sign are reminded."""

from dataclasses import replace
from typing import Final

import pytest

from pierhead.core.definitions import ChangeClass
from pierhead.core.reminding import Urgency, reminders_of, urgency_of
from pierhead.core.review import Binding, Gate, Review, SignOff, Verdict

DAY: Final = 86_400.0
START: Final = 1_795_000_000.0
REVIEW: Final = Review(
    id="r1",
    binding=Binding("clock", "2", "a" * 64, "b" * 64, "c" * 64),
    change=ChangeClass.FIRST,
    submitted_by="bob",
    submitted_at=START,
    required=frozenset({Gate.SECURITY, Gate.LEGAL}),
    due_at=((Gate.LEGAL, START + 10 * DAY), (Gate.SECURITY, START + 4 * DAY)),
    sign_offs=(),
    comments=(),
    closed_at=None,
    lock=1,
)


def signed(verdict: Verdict, expires_at: float = START + 400 * DAY) -> Review:
    made = SignOff(Gate.SECURITY, verdict, "carol", START, "", (), (), expires_at)
    return replace(REVIEW, sign_offs=(made,))


@pytest.mark.parametrize(
    ("days", "urgency"),
    [
        (0.0, None),
        (1.99, None),
        (2.0, Urgency.HALF),
        (3.99, Urgency.HALF),
        (4.0, Urgency.DUE),
        (5.99, Urgency.DUE),
        (6.0, Urgency.ESCALATED),
        (600.0, Urgency.ESCALATED),
    ],
)
def test_urgency_follows_the_share_of_the_time_that_has_passed(days: float, urgency: Urgency | None) -> None:
    assert urgency_of(REVIEW, Gate.SECURITY, START + days * DAY) is urgency


def test_each_gate_has_its_own_time_and_only_the_last_urgency_is_told() -> None:
    told = reminders_of(REVIEW, START + 7 * DAY)
    assert [(each.gate, each.urgency, each.due_at) for each in told] == [
        (Gate.LEGAL, Urgency.HALF, START + 10 * DAY),
        (Gate.SECURITY, Urgency.ESCALATED, START + 4 * DAY),
    ]
    assert {(each.review_id, each.server, each.version) for each in told} == {("r1", "clock", "2")}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_gate_that_answered_is_not_reminded(verdict: Verdict) -> None:
    assert urgency_of(signed(verdict), Gate.SECURITY, START + 9 * DAY) is None


def test_a_signature_that_ran_out_is_waited_for_again() -> None:
    assert urgency_of(signed(Verdict.APPROVE, START + DAY), Gate.SECURITY, START + 4 * DAY) is Urgency.DUE


def test_a_closed_review_and_a_gate_that_does_not_apply_remind_nobody() -> None:
    assert reminders_of(replace(REVIEW, closed_at=START), START + 9 * DAY) == ()
    assert urgency_of(REVIEW, Gate.GENAI, START + 9 * DAY) is None
