"""The review gate as values: who has to sign what, until when, and when the gate stands open."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.registry_in_memory import TOOLS

from pierhead.core.catalog import DataClass, Effect, Risk
from pierhead.core.definitions import gravest
from pierhead.core.review import (
    OPENING,
    WORKING_DAYS,
    Binding,
    ChangeClass,
    Gate,
    GateState,
    Review,
    SignOff,
    Verdict,
    due_at,
    expires_at,
    is_open,
    required_gates,
    rises,
    state_of,
    stricter,
    with_sign_off,
)

HARMLESS = Risk(
    DataClass.INTERNAL, has_personal_data=False, egress=(), is_autonomous=False, has_untrusted_results=False
)
READ = TOOLS[0]
WRITE = replace(READ, name="write", effect=Effect.WRITE)
FRIDAY = datetime(2026, 11, 20, 15, tzinfo=UTC).timestamp()
REVIEW = Review(
    "r", Binding("s", "1", "t", "m", "a"), ChangeClass.FIRST, "bob", FRIDAY, frozenset(Gate), (), (), (), None, 0
)
S, L, G = Gate.SECURITY, Gate.LEGAL, Gate.GENAI


def signed(gate: Gate, verdict: Verdict = Verdict.APPROVE, expires: float = 100.0) -> SignOff:
    return SignOff(gate, verdict, "carol", 1.0, "why", (), (), expires)


@pytest.mark.parametrize(
    ("risk", "tool", "gates"),
    [
        (HARMLESS, READ, {S}),
        (HARMLESS, WRITE, {S, G}),
        (HARMLESS, replace(READ, effect=Effect.DESTRUCTIVE), {S, G}),
        (replace(HARMLESS, data_class=DataClass.PUBLIC), READ, {S}),
        (replace(HARMLESS, data_class=DataClass.CONFIDENTIAL), READ, {S, L}),
        (replace(HARMLESS, data_class=DataClass.RESTRICTED), READ, {S, L}),
        (replace(HARMLESS, has_personal_data=True), READ, {S, L}),
        (replace(HARMLESS, egress=("api.example",)), READ, {S, L}),
        (replace(HARMLESS, is_autonomous=True), READ, {S, G}),
        (replace(HARMLESS, has_untrusted_results=True), READ, {S, G}),
    ],
)
@pytest.mark.parametrize("change", [ChangeClass.FIRST, ChangeClass.MAJOR])
def test_a_first_or_major_version_is_signed_by_everyone_whom_it_concerns(
    risk: Risk, tool: object, gates: set[Gate], change: ChangeClass
) -> None:
    for is_tested in (False, True):
        assert required_gates(risk, [tool], {change}, is_tested=is_tested) == gates  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("changes", "gates", "gates_if_tested"),
    [
        (set(), set(), set()),
        ({ChangeClass.PATCH}, set(), set()),
        ({ChangeClass.MINOR}, {G}, set()),
        ({ChangeClass.MINOR, ChangeClass.PATCH}, {G}, set()),
        ({ChangeClass.WORDING, ChangeClass.PATCH}, {G}, {G}),
        ({ChangeClass.MINOR, ChangeClass.WORDING}, {G}, {G}),
        ({ChangeClass.MAJOR}, {S}, {S}),
        ({ChangeClass.MAJOR, ChangeClass.MINOR}, {S, G}, {S}),
        ({ChangeClass.MAJOR, ChangeClass.WORDING}, {S, G}, {S, G}),
    ],
)
def test_another_version_is_signed_as_its_change_asks(
    changes: set[ChangeClass], gates: set[Gate], gates_if_tested: set[Gate]
) -> None:
    assert required_gates(HARMLESS, [READ], changes, is_tested=False) == gates
    assert required_gates(HARMLESS, [READ], changes, is_tested=True) == gates_if_tested


@pytest.mark.parametrize(
    ("changed", "does_rise"),
    [
        ({}, False),
        ({"data_class": DataClass.CONFIDENTIAL}, True),
        ({"data_class": DataClass.PUBLIC}, False),
        ({"has_personal_data": True}, True),
        ({"egress": ("api.example",)}, False),
    ],
)
def test_a_risk_rises_with_its_data_class_and_with_personal_data(changed: dict[str, Any], *, does_rise: bool) -> None:
    assert rises(HARMLESS, replace(HARMLESS, **changed)) is does_rise
    assert not rises(replace(HARMLESS, has_personal_data=True), replace(HARMLESS, has_personal_data=True))


def test_the_gravest_class_is_the_one_that_asks_for_most() -> None:
    assert gravest() is ChangeClass.PATCH
    assert gravest(ChangeClass.WORDING, ChangeClass.MAJOR, ChangeClass.MINOR) is ChangeClass.MAJOR
    assert gravest(*ChangeClass) is ChangeClass.FIRST


def test_of_two_risks_each_member_counts_where_it_is_graver() -> None:
    grave = Risk(
        DataClass.RESTRICTED, has_personal_data=True, egress=("b",), is_autonomous=True, has_untrusted_results=True
    )
    light = replace(HARMLESS, egress=("a",))
    assert stricter(grave, light) == stricter(light, grave) == replace(grave, egress=("a", "b"))


@pytest.mark.parametrize(
    ("gate", "data_class", "days"),
    [
        (S, DataClass.INTERNAL, 365),
        (S, DataClass.CONFIDENTIAL, 180),
        (L, DataClass.RESTRICTED, 180),
        (L, DataClass.PUBLIC, 365),
        (G, DataClass.RESTRICTED, 365),
    ],
)
def test_a_signature_counts_for_a_year_or_half_of_it(gate: Gate, data_class: DataClass, days: int) -> None:
    assert expires_at(gate, data_class, 1000.0) == 1000.0 + days * 86_400


def test_gates_are_due_in_working_days() -> None:
    due = dict(due_at({S, L, G}, FRIDAY, WORKING_DAYS))
    assert datetime.fromtimestamp(due[S], UTC) == datetime(2026, 11, 25, 15, tzinfo=UTC)
    assert datetime.fromtimestamp(due[L], UTC) == datetime(2026, 11, 27, 15, tzinfo=UTC)
    assert due[G] == due[S]
    assert due_at((), FRIDAY, WORKING_DAYS) == ()
    (other,) = due_at({L}, FRIDAY, {L: 1})
    assert datetime.fromtimestamp(other[1], UTC) == datetime(2026, 11, 23, 15, tzinfo=UTC)


@given(st.floats(0, 4e9))
def test_no_due_date_falls_on_a_weekend(submitted_at: float) -> None:
    for _, due in due_at(Gate, submitted_at, WORKING_DAYS):
        assert datetime.fromtimestamp(due, UTC).weekday() < 5
        assert due >= submitted_at + 3 * 86_400 - 1


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.APPROVE, GateState.APPROVED),
        (Verdict.APPROVE_WITH_CONDITIONS, GateState.APPROVED_WITH_CONDITIONS),
        (Verdict.REQUEST_CHANGES, GateState.CHANGES_REQUESTED),
        (Verdict.REJECT, GateState.REJECTED),
        (Verdict.WAIVE, GateState.WAIVED),
    ],
)
def test_a_gate_stands_where_its_last_decision_put_it_until_that_runs_out(verdict: Verdict, state: GateState) -> None:
    review = with_sign_off(with_sign_off(REVIEW, signed(S, Verdict.REJECT)), signed(S, verdict))
    assert state_of(review, S, 99.9) is state
    assert state_of(review, S, 100.0) is (GateState.EXPIRED if state in OPENING else state)
    assert state_of(review, L, 0.0) is GateState.PENDING
    assert state_of(replace(review, required=frozenset({L})), S, 0.0) is GateState.NOT_REQUIRED


def test_an_end_that_is_no_number_has_passed() -> None:
    assert state_of(with_sign_off(REVIEW, signed(S, expires=float("nan"))), S, 0.0) is GateState.EXPIRED


def test_the_gate_opens_with_the_last_signature_and_shuts_when_the_first_runs_out() -> None:
    review = REVIEW
    for gate in Gate:
        assert not is_open(review, 1.0)
        review = with_sign_off(review, signed(gate, expires=200.0 if gate is S else 100.0))
    assert is_open(review, 99.0)
    assert not is_open(review, 100.0)
    assert is_open(replace(REVIEW, required=frozenset()), 1.0)
