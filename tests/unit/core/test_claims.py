"""Claims: a few small typed values, bounded, that no issuer can pass off as somebody's identity."""

from typing import Any

import pytest

from pierhead.core.claims import claims_form, parse_claims
from pierhead.core.errors import Invalid
from pierhead.core.identity import User


def test_claims_are_read_sorted_and_written_as_they_were() -> None:
    written = {"region": "EU", "level": 3, "is_lead": True, "teams": ["a", "b"], "none": []}
    claims = parse_claims(written)
    assert [name for name, _ in claims] == sorted(written)
    assert claims_form(claims) == written
    assert hash(User("i", "u", frozenset(), claims)) == hash(User("i", "u", frozenset(), parse_claims(written)))


def test_a_person_has_what_was_stated_and_what_everyone_has() -> None:
    user = User("https://idp", "ann", frozenset({"b", "a"}), parse_claims({"region": "EU"}))
    assert user.claim("region") == "EU"
    assert user.claim("subject") == "ann"
    assert user.claim("groups") == ("a", "b")
    assert user.claim("other") is None


@pytest.mark.parametrize(
    "written",
    [
        None,
        [],
        "x",
        {"subject": "root"},
        {"groups": ["admins"]},
        {"Region": "EU"},
        {"re gion": "EU"},
        {"": "EU"},
        {1: "EU"},
        {"a": None},
        {"a": 1.5},
        {"a": {"b": "c"}},
        {"a": ["x", 1]},
        {"a": [["x"]]},
        {"a": 2**53},
        {"a": "x" * 257},
        {"a": ["x" * 257]},
        {"a": ["x"] * 65},
        {f"c{place}": 1 for place in range(17)},
        {f"c{place}": "x" * 256 for place in range(16)} | {"c0": ["x" * 200] * 20},
    ],
)
def test_what_is_no_claim_or_too_large_is_refused_without_its_value(written: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_claims(written)
    assert refusal.value.code == "bad-claims"
    assert "xxx" not in refusal.value.message


def _written(size: int) -> dict[str, Any]:
    """Claims that are kept in exactly so many characters."""
    claims = {f"c{place:02}": "x" * 256 for place in range(15)} | {"c15": ""}
    return claims | {"c15": "y" * (size - len(repr(claims)))}


@pytest.mark.parametrize(
    "written",
    [
        {"a": 2**53 - 1},
        {"a": 1 - 2**53},
        {"a": "x" * 256},
        {"a": ["x" * 256]},
        {"a": ["x"] * 64},
        {f"c{place}": 1 for place in range(16)},
        _written(4096),
        {"a" * 64: 1},
    ],
)
def test_what_is_just_within_the_bounds_is_taken(written: Any) -> None:
    assert claims_form(parse_claims(written)) == written


@pytest.mark.parametrize("written", [{"a": -(2**53)}, _written(4097), {"a" * 65: 1}])
def test_what_is_just_beyond_them_is_not(written: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_claims(written)
    assert "a" * 65 not in refusal.value.message
