"""Who asks: four kinds of principal, and what is read from each."""

from dataclasses import replace

import pytest
from tests.unit.samples import AGENT, ALICE, ROBOT, caller

from pierhead.core.identity import ANONYMOUS, Both, Party, Principal, User, Workload, label, parties, person, workload

BOTH = Both(ALICE, AGENT)


@pytest.mark.parametrize(
    ("principal", "who", "program", "needed", "name"),
    [
        (ANONYMOUS, None, None, (), "anonymous"),
        (ALICE, ALICE, None, (Party.PERSON,), "alice"),
        (AGENT, None, AGENT, (Party.WORKLOAD,), ROBOT),
        (BOTH, ALICE, AGENT, (Party.PERSON, Party.WORKLOAD), f"alice via {ROBOT}"),
    ],
)
def test_each_kind_of_principal_has_its_parties_and_its_name(
    principal: Principal, who: User | None, program: Workload | None, needed: tuple[Party, ...], name: str
) -> None:
    assert person(principal) == who
    assert workload(principal) == program
    assert parties(principal) == needed
    assert label(principal) == name
    asking = caller(principal)
    assert (asking.person, asking.workload, asking.name) == (who, program, name)


def test_groups_are_those_of_the_person_and_a_workload_has_none() -> None:
    assert caller(BOTH).groups == {"data-eng"}
    assert caller(AGENT).groups == frozenset()
    assert caller(ANONYMOUS).groups == frozenset()


def test_the_same_caller_in_another_call_is_the_same_caller() -> None:
    assert caller() == replace(caller(), correlation_id="another")
    assert caller() != replace(caller(), surface="chat")
