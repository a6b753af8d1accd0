"""Claims of identity providers, in the shapes that they come in."""

from typing import Any

import pytest

from pierhead.core.errors import Unauthenticated
from pierhead.core.federation import MOST_GROUPS, ClaimMapping, Stated

PLAIN = ClaimMapping("sub", "groups", {})


def read(claims: dict[str, Any], path: str = "groups", **names: str) -> frozenset[str]:
    return ClaimMapping("sub", path, names).read({"sub": "u-1", **claims}).groups


def refusal(claims: dict[str, Any], mapping: ClaimMapping = PLAIN) -> str:
    with pytest.raises(Unauthenticated) as caught:
        mapping.read({"sub": "u-1", **claims})
    assert caught.value.hint
    return caught.value.code


def test_groups_are_a_list_one_text_or_nothing() -> None:
    assert read({"groups": ["a", "b", "a"]}) == {"a", "b"}
    assert read({"groups": "a b"}) == {"a b"}
    assert read({}) == read({"groups": []}) == frozenset()


def test_a_path_leads_into_objects_and_a_claim_of_that_very_name_goes_first() -> None:
    nested = {"realm": {"access": {"roles": ["a"]}}}
    assert read(nested, "realm.access.roles") == {"a"}
    assert read({"realm": "x"}, "realm.access.roles") == frozenset()
    assert read({}, "realm.access.roles") == frozenset()
    assert read({"https://x.example/groups": ["b"]}, "https://x.example/groups") == {"b"}
    assert read({**nested, "realm.access.roles": ["c"]}, "realm.access.roles") == {"c"}


def test_where_names_are_mapped_the_others_count_for_nothing() -> None:
    assert read({"groups": ["g-1", "g-2", "platform-admin"]}, **{"g-1": "data-eng", "g-9": "ads"}) == {"data-eng"}


@pytest.mark.parametrize(
    "groups", [7, True, {"a": 1}, ["a", 1], [["a"]], [""], "", ["a\u0000"], ["x" * 256], ["a"] * (MOST_GROUPS + 1)]
)
def test_groups_of_another_shape_are_refused(groups: object) -> None:
    assert refusal({"groups": groups}) == "bad-groups"


@pytest.mark.parametrize(
    "claims",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example/"}}},
        {"_claim_names": {"groups": "src1"}, "groups": ["few"]},
        {"hasgroups": True},
        {"hasgroups": "true"},
    ],
)
def test_groups_that_are_elsewhere_are_refused_and_not_taken_for_none(claims: dict[str, Any]) -> None:
    assert refusal(claims) == "groups-overage"
    assert PLAIN.states_groups(claims)


def test_what_is_elsewhere_but_no_groups_does_not_matter() -> None:
    assert read({"_claim_names": {"address": "src1"}, "hasgroups": False, "groups": ["a"]}) == {"a"}
    assert read({"_claim_names": "groups"}) == frozenset()
    assert PLAIN.states_groups({"groups": []})
    assert not PLAIN.states_groups({})


@pytest.mark.parametrize("subject", [None, 7, "", "a\nb", "x" * 256, ["u"]])
def test_a_person_without_a_usable_name_is_refused(subject: object) -> None:
    assert refusal({"sub": subject}) == "no-subject"


def test_an_address_names_somebody_only_where_it_is_verified() -> None:
    by_address = ClaimMapping("email", "groups", {})
    assert by_address.read({"email": "a@x.example", "email_verified": True}) == Stated("a@x.example", frozenset())
    for verified in (None, False, "true", 1):
        assert refusal({"email": "a@x.example", "email_verified": verified}, by_address) == "unproved-email"


def test_the_longest_names_and_the_most_groups_are_taken() -> None:
    longest = "x" * 255
    assert ClaimMapping("sub", "groups", {}).read({"sub": longest, "groups": [longest]}) == Stated(
        longest, frozenset({longest})
    )
    assert len(read({"groups": [f"g{number}" for number in range(1000)]})) == 1000
    assert refusal({"groups": [f"g{number}" for number in range(1001)]}) == "bad-groups"
