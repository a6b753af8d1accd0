"""What JSON cannot carry exactly becomes text, and an answer stays within its limits."""

import datetime as dt
import decimal
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.sdk.governed.cells import fitted, plain
from pierhead.sdk.governed.engine import Limits


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (decimal.Decimal("1.10"), "1.10"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC), "2026-01-02T03:04:00+00:00"),
        (b"ab", "\\x6162"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([1, "a"], '[1,"a"]'),
        ({"a": decimal.Decimal(1)}, '{"a":"1"}'),
        ("x" * 501, "x" * 500 + "…"),
    ],
)
def test_a_value_becomes_a_json_scalar(value: object, shown: object) -> None:
    assert plain(value) == shown


def test_more_rows_than_asked_for_are_cut_with_a_reason() -> None:
    assert fitted([(1,), (2,), (3,)], Limits(2, 1.0)) == ([[1], [2]], "rows")
    assert fitted([(1,), (2,)], Limits(2, 1.0)) == ([[1], [2]], "")


def test_an_answer_is_cut_at_its_bytes_but_keeps_a_row() -> None:
    wide = [("x" * 400,)] * 10
    assert len(fitted(wide, Limits(10, 1.0, bytes=1_000))[0]) == 2
    assert fitted(wide, Limits(10, 1.0, bytes=10)) == ([["x" * 400]], "bytes")


CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=600) | st.dates() | st.binary()


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), max_size=6)))
def test_columns_become_what_their_cells_become(rows: list[tuple[object, ...]]) -> None:
    found, cut = fitted(rows, Limits(100, 1.0, bytes=1_000_000))
    assert not cut
    assert found == [[plain(cell) for cell in row] for row in rows]


@given(st.lists(st.tuples(st.text(max_size=30), st.integers(0, 9)), min_size=1, max_size=9), st.integers(1, 200))
def test_no_answer_is_longer_than_its_bytes_unless_it_is_one_row(rows: list[tuple[str, int]], most: int) -> None:
    found, cut = fitted(rows, Limits(100, 1.0, bytes=most))
    assert found == [list(row) for row in rows[: len(found)]]
    assert (cut == "bytes") == (len(found) < len(rows))
    assert len(found) == 1 or sum(len(text) + 11 for text, _ in found) <= most
