"""Approvals, minutes, errors and their numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core import errors
from pierhead.core.approval import Approval, strictest
from pierhead.core.errors import Conflict, Forbidden, Invalid, NotFound, PierheadError, Refused
from pierhead.core.usage import (
    ESTIMATE_S,
    POLLING,
    Minutes,
    Saved,
    ToolUse,
    does_work,
    hours_saved,
    saved_by,
)
from pierhead.core.waiting_tools import WAITING_TOOLS
from pierhead.core.wire_codes import Numbers, numbers


def test_approvals_are_ordered_from_none_to_deny() -> None:
    assert strictest() is Approval.NONE
    assert strictest(Approval.CONFIRM, Approval.NONE) is Approval.CONFIRM
    assert strictest(Approval.APPROVE, Approval.FOUR_EYES, Approval.CONFIRM) is Approval.FOUR_EYES
    assert strictest(*Approval) is Approval.DENY


@given(st.lists(st.sampled_from(Approval)), st.sampled_from(Approval))
def test_one_more_approval_never_makes_it_laxer(some: list[Approval], more: Approval) -> None:
    order = list(Approval)
    assert order.index(strictest(*some, more)) >= order.index(strictest(*some))


def test_a_bare_number_of_minutes_is_an_estimate_without_a_range() -> None:
    assert Minutes.estimate(6) == Minutes(mode=6, low=6, high=6, method="estimate")


def test_hours_saved_count_successes_alone() -> None:
    assert hours_saved([]) == 0
    assert hours_saved([ToolUse("s", "t", minutes=6, calls=50, succeeded=40, users=7)]) == 4
    assert hours_saved([ToolUse("s", "t", minutes=6, calls=50, succeeded=0, users=7)]) == 0


def test_an_estimate_holds_for_180_days_after_it_was_stated() -> None:
    stated = Minutes(6, 3, 9, "timed", stated_at=1000.0)
    assert stated.valid_until == 1000.0 + 180 * 86_400
    assert stated.is_valid(1000.0 + ESTIMATE_S - 1)
    assert not stated.is_over(1000.0 + ESTIMATE_S - 1)
    assert stated.is_over(1000.0 + ESTIMATE_S)


@pytest.mark.parametrize("nothing", [Minutes.estimate(6), Minutes(0, 0, 0, "estimate", stated_at=1000.0)])
def test_what_is_undated_or_nothing_covers_no_call_and_never_expires(nothing: Minutes) -> None:
    assert nothing.valid_until is None
    assert not nothing.is_valid(1000.0)
    assert not nothing.is_over(9e9)


def test_what_was_saved_adds_up_and_tells_how_much_it_speaks_for() -> None:
    one = ToolUse("s", "t", 6, calls=9, succeeded=4, users=2, low=3, high=9, covered=2, expired=1, autonomous=1)
    assert one.saved == Saved(gross=24, low=6, high=18, autonomous=6, counted=4, covered=2, expired=1)
    assert saved_by([one, one]) == one.saved + one.saved == Saved(48, 12, 36, 12, 8, 4, 2)
    assert saved_by([one, one]).coverage == 0.5
    assert saved_by([]).coverage is None


@pytest.mark.parametrize(
    ("tool", "works"),
    [
        ("run_query", True),
        ("approvals_cancelled", True),
        ("read_results", True),
        ("approvals_wait", False),
        ("spark_read_result", False),
        ("tasks/get", False),
    ],
)
def test_tools_that_poll_or_read_back_do_no_work(tool: str, works: bool) -> None:
    assert does_work(tool) is works


def test_the_tools_that_poll_are_those_of_every_server() -> None:
    assert set(WAITING_TOOLS) == POLLING


def test_an_error_has_message_hint_and_code() -> None:
    plain = Forbidden("you may not", hint="ask ann")
    assert (plain.message, plain.hint, plain.code, str(plain)) == ("you may not", "ask ann", "forbidden", "you may not")
    assert Forbidden("you may not", code="cannot-reach").code == "cannot-reach"


def _tree(kind: type[PierheadError]) -> list[type[PierheadError]]:
    return [
        kind,
        *(found for child in kind.__subclasses__() if child.__module__ == errors.__name__ for found in _tree(child)),
    ]


@pytest.mark.parametrize("kind", _tree(PierheadError))
def test_every_class_has_a_code_of_its_own_and_numbers(kind: type[PierheadError]) -> None:
    codes = [other.default_code for other in _tree(PierheadError)]
    assert codes.count(kind.default_code) == 1
    found = numbers(kind("x"))
    assert 400 <= found.http < 600
    assert found.json_rpc < -31399
    assert 1 <= found.exit <= 8


def test_a_code_can_have_numbers_of_its_own_and_a_subclass_has_its_own_row() -> None:
    assert numbers(NotFound("x", code="unknown-tool")) == Numbers(400, -32602, 4, in_band=True)
    assert numbers(NotFound("x")) == Numbers(404, -31404, 4)
    assert numbers(Conflict("x")) != numbers(Invalid("x"))


def test_a_class_without_a_row_has_the_numbers_of_its_nearest_ancestor() -> None:
    class Finer(Refused):
        default_code = "finer"

    assert numbers(Finer("x")) == numbers(Refused("x"))
