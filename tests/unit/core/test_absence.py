"""An absence is bounded, and a deputy never decides for whoever asked, nor twice with the one they stand in for."""

from dataclasses import replace
from typing import Any

import pytest
from tests.approving import APPROVERS, proposal

from pierhead.core.absence import LONGEST_S, Absence, StandIn, check_absence, in_place_of
from pierhead.core.approval import Approval
from pierhead.core.approval_record import ApprovalRecord, Decided, decided, proposed, why_not
from pierhead.core.errors import Invalid

NOW = 1_000_000.0
AWAY = Absence("a1", "frank", "bob", NOW, NOW + 3600.0, "holiday")
FOR_FRANK = StandIn("frank", frozenset({"platform-admin"}))


def record(approval: Approval = Approval.APPROVE, **changes: Any) -> ApprovalRecord:
    return proposed("apr_1", proposal(approval=approval, **changes), APPROVERS, NOW)


def test_an_absence_is_on_from_its_begin_to_before_its_end() -> None:
    assert [AWAY.is_on(at) for at in (NOW - 1, NOW, NOW + 3599, NOW + 3600)] == [False, True, True, False]
    assert not replace(AWAY, ended_at=NOW).is_on(NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"until": NOW},
        {"since": NOW - 9000, "until": NOW - 1},
        {"until": NOW + LONGEST_S + 1},
        {"since": NOW + LONGEST_S * 12 + 1, "until": NOW + LONGEST_S * 12 + 2},
        {"deputy": "frank"},
        {"reason": "x" * 501},
    ],
)
def test_what_no_absence_can_be(changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="cannot be"):
        check_absence(replace(AWAY, **changes), NOW)


def test_the_longest_one_and_one_without_a_deputy_are_fine() -> None:
    check_absence(replace(AWAY, until=NOW + LONGEST_S), NOW)
    check_absence(replace(AWAY, deputy="", since=NOW + LONGEST_S, until=NOW + 2 * LONGEST_S), NOW)


def test_a_deputy_decides_for_whom_they_stand_in() -> None:
    assert in_place_of(record(), "bob", [FOR_FRANK]) == "frank"
    assert in_place_of(record(), "bob", [StandIn("gina", frozenset({"platform-admin"})), FOR_FRANK]) == "frank"


def test_not_for_a_group_that_is_not_asked_nor_for_a_confirmation() -> None:
    assert in_place_of(record(), "bob", [StandIn("frank", frozenset({"ads"}))]) == ""
    assert in_place_of(record(), "bob", []) == ""
    assert in_place_of(record(Approval.CONFIRM), "bob", [FOR_FRANK]) == ""


def test_not_for_whoever_asked_nor_as_whoever_asked() -> None:
    assert in_place_of(record(person="frank"), "bob", [FOR_FRANK]) == ""
    assert in_place_of(record(person="bob"), "bob", [FOR_FRANK]) == ""


def test_a_person_and_their_deputy_are_one_of_two() -> None:
    asked = record(Approval.FOUR_EYES)
    by_deputy = decided(asked, Decided("bob", "web", NOW, "approve", instead_of="frank"))
    assert by_deputy.people == ("alice", "bob", "frank")
    assert "in your place" in why_not(by_deputy, "frank", frozenset({"platform-admin"}))
    assert in_place_of(by_deputy, "bob", [StandIn("gina", frozenset({"platform-admin"}))]) == ""
    by_frank = decided(asked, Decided("frank", "web", NOW, "approve"))
    assert in_place_of(by_frank, "bob", [FOR_FRANK]) == ""
    assert why_not(by_deputy, "gina", frozenset({"platform-admin"})) == ""
