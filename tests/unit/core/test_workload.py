"""SPIFFE IDs in their one spelling."""

import pytest

from pierhead.core.errors import Invalid
from pierhead.core.identity import ANONYMOUS, Both, Caller, Principal, User, Workload
from pierhead.core.workload import Registration, is_trust_domain, standing, trust_domain_of


def test_a_spiffe_id_names_its_trust_domain() -> None:
    assert trust_domain_of("spiffe://corp.example/ns/agents/sa/triage") == "corp.example"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "corp.example/a",
        "spiffe://corp.example",
        "spiffe://corp.example/",
        "spiffe:///a",
        "SPIFFE://corp.example/a",
        "spiffe://Corp.example/a",
        "spiffe://corp.example/a/",
        "spiffe://corp.example//a",
        "spiffe://corp.example/./a",
        "spiffe://corp.example/a/..",
        "spiffe://corp.example/%61",
        "spiffe://corp.example/a?b",
        "spiffe://corp.example/a#b",
        "spiffe://corp.example:8443/a",
        "spiffe://user@corp.example/a",
        "spiffe://corp.example/a\n",
        "spiffe://corp.example/\u0430",
        "spiffe://corp.example/" + "a" * 2048,
    ],
)
def test_another_spelling_is_no_spiffe_id(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        trust_domain_of(text)
    assert refused.value.code == "bad-spiffe-id"


@pytest.mark.parametrize(("text", "is_one"), [("corp.example", True), ("Corp", False), ("", False), ("a/b", False)])
def test_a_trust_domain_is_a_lower_case_name(text: str, is_one: bool) -> None:
    assert is_trust_domain(text) is is_one


ALICE, ROBOT = User("i", "alice", frozenset()), Workload("spiffe://corp.example/robot")
PLACES = {ROBOT.spiffe_id: Registration("agent", "production")}


@pytest.mark.parametrize("who", [ROBOT, Both(ALICE, ROBOT)])
def test_calls_through_a_workload_come_from_where_it_is_registered(who: Principal) -> None:
    stands = standing(Caller(who, "ide", "local", "c", "a-channel"), PLACES)
    assert (stands.principal, stands.surface, stands.environment, stands.channel) == (
        who,
        "agent",
        "production",
        "a-channel",
    )


def test_a_workload_that_nobody_registered_stands_nowhere() -> None:
    stands = standing(Caller(ROBOT, "ide", "local", "c"), {})
    assert (stands.surface, stands.environment) == ("", "")


@pytest.mark.parametrize("who", [ALICE, ANONYMOUS])
def test_people_stand_where_they_came_in(who: Principal) -> None:
    asker = Caller(who, "ide", "local", "c")
    assert standing(asker, PLACES) is asker
