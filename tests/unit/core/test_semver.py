"""Versions in the order of Semantic Versioning."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.semver import is_release, precedence

RISING = [
    *("", "x", "1", "1.9", "1.10", "2026.01.05", "2026.2.0.1", "v2"),
    *("0.0.0-0", "0.0.0", "0.9.0", "1.0.0-1", "1.0.0-2", "1.0.0-11", "1.0.0-alpha", "1.0.0-alpha.1"),
    *("1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"),
    *("1.2.0", "1.10.0", "2.0.0", "10.0.0"),
]


def test_precedence_is_that_of_the_specification_and_stranger_texts_stand_below() -> None:
    for lower, higher in itertools.pairwise(RISING[8:]):
        assert precedence(lower) < precedence(higher), (lower, higher)
    for strange in RISING[:8]:
        assert precedence(strange) < precedence("0.0.0-0")
    assert precedence("1.9") < precedence("1.10")


def test_build_metadata_does_not_count() -> None:
    assert precedence("1.0.0+2") == precedence("1.0.0") == precedence("1.0.0+a.b")


def test_a_release_is_semantic_and_final() -> None:
    assert [text for text in ("1.0.0", "1.0.0+2", "1.0.0-rc.1", "1.0", "01.0.0", "") if is_release(text)] == [
        "1.0.0",
        "1.0.0+2",
    ]


@given(st.lists(st.text(max_size=20)))
def test_any_texts_can_be_put_in_order(texts: list[str]) -> None:
    assert len(sorted(texts, key=precedence)) == len(texts)
