"""What calls cost a model, at least: tokens by bytes, and money by the operator's price."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.cost import Cost, Price, tokens_of

PRICE = Price(3.0, "EUR")


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (3, 1), (4, 2), (36, 10), (37, 11)])
def test_tokens_of_a_result_are_its_bytes_by_3_6_and_never_less(size: int, tokens: int) -> None:
    assert tokens_of(size) == tokens


@given(st.integers(0, 10**12))
def test_it_is_counted_in_whole_numbers_as_a_database_does(size: int) -> None:
    assert tokens_of(size) == (size * 10 + 35) // 36
    assert math.isclose(tokens_of(size), size / 3.6, abs_tol=1)


def test_money_is_told_by_the_operators_price() -> None:
    cost = Cost(calls=4, result_tokens=2_000_000, definition_tokens=500, price=PRICE)
    assert (cost.tokens_a_call, cost.results, cost.a_call, cost.thousand_turns) == (500_000, 6.0, 1.5, 1.5)


def test_without_a_price_there_are_tokens_and_no_money() -> None:
    cost = Cost(calls=4, result_tokens=2_000_000, definition_tokens=500, price=None)
    assert (cost.tokens_a_call, cost.results, cost.a_call, cost.thousand_turns) == (500_000, None, None, None)


def test_where_nobody_called_no_call_has_a_cost() -> None:
    cost = Cost(calls=0, result_tokens=0, definition_tokens=500, price=PRICE)
    assert (cost.tokens_a_call, cost.a_call, cost.results) == (None, None, 0)
