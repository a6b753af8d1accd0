"""How calls went, beside what an owner promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.usage import Objective, Pace, p95_place
from pierhead.usecases.record_figures import objective_in


@given(st.integers(1, 10_000))
def test_nineteen_of_twenty_are_at_or_before_that_place_and_no_fewer_would_do(count: int) -> None:
    place = p95_place(count)
    assert 0 <= place < count
    assert (place + 1) * 20 >= count * 19
    assert place * 20 < count * 19


@pytest.mark.parametrize(
    ("p95", "rate", "pace", "met"),
    [
        (100.0, None, Pace(10, 5, 100.0), True),
        (100.0, None, Pace(10, 10, 101.0), False),
        (None, 0.5, Pace(10, 5, None), True),
        (None, 0.6, Pace(10, 5, 1.0), False),
        (100.0, 0.9, Pace(0, 0, None), None),
        (100.0, 0.9, Pace(10, 10, None), None),
        (100.0, 0.9, Pace(10, 8, None), False),
        (100.0, 0.9, Pace(10, 9, 99.0), True),
    ],
)
def test_a_promise_is_kept_only_where_all_of_it_was_measured(
    p95: float | None, rate: float | None, pace: Pace, met: bool | None
) -> None:
    assert Objective(p95, rate).is_met_by(pace) is met


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({}, None),
        ({"slo": "fast"}, None),
        ({"slo": {}}, None),
        ({"slo": {"p95_ms": True, "success_rate": "all"}}, None),
        ({"slo": {"p95_ms": 800}}, Objective(800.0, None)),
        ({"slo": {"p95_ms": 800, "success_rate": 0.99}}, Objective(800.0, 0.99)),
    ],
)
def test_what_an_entry_promises_is_read_as_it_stands(written: dict[str, object], read: Objective | None) -> None:
    assert objective_in(written) == read  # pyright: ignore[reportArgumentType] - as a document holds it
