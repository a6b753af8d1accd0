"""How old a policy may grow."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.snapshot import EMPTY, Age, AgeLimits, Expired, Fresh, Stale

LIMITS = AgeLimits(stale_s=60, expired_s=900)


@pytest.mark.parametrize(
    ("age", "judged"),
    [(0, Fresh()), (59.9, Fresh()), (60, Stale(60)), (899.9, Stale(899.9)), (900, Expired(900)), (1e9, Expired(1e9))],
)
def test_age_is_judged_by_its_limits(age: float, judged: Age) -> None:
    assert LIMITS.judge(age) == judged


def test_an_age_that_is_no_number_is_expired() -> None:
    assert isinstance(LIMITS.judge(math.nan), Expired)


@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 1000))
def test_nothing_is_fresh_at_or_beyond_a_limit_however_the_limits_are_set(
    age: float, stale: float, expired: float
) -> None:
    judged = AgeLimits(stale, expired).judge(age)
    if age >= expired:
        assert isinstance(judged, Expired)
    elif age >= stale:
        assert isinstance(judged, Stale)


def test_the_empty_snapshot_opens_nothing() -> None:
    assert (EMPTY.revision, EMPTY.servers, EMPTY.rows) == (0, {}, {})
