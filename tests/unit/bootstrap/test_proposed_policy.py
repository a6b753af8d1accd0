"""A policy as somebody proposes it in texts: what it means, and that every fault is named with its place."""

from collections.abc import Mapping
from typing import Any

import pytest

from pierhead.bootstrap.fleet import located
from pierhead.bootstrap.proposed_policy import InForce, ProposedPolicy, read_proposal
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.snapshot import PolicyText
from pierhead.usecases.check_entry import UnknownNarrowing

WAREHOUSE: Mapping[str, Any] = {
    "kind": "sql",
    "url": "sqlite:///w.db",
    "owner": "data-platform",
    "support": "#help",
    "access": "group:data-eng",
}
COMPANY, MORE = PolicyText("company.cedar", "forbid (a)"), PolicyText("more.cedar", "forbid (b)")
NOW = InForce({"warehouse": WAREHOUSE}, (COMPANY,))


def read(fleet: str = "", *texts: PolicyText) -> ProposedPolicy:
    return read_proposal(fleet, texts, NOW)


def test_an_entry_without_a_kind_changes_members_of_the_one_in_force() -> None:
    found = read("servers:\n  warehouse:\n    access: everyone\n")
    assert found.servers == {"warehouse": {**WAREHOUSE, "access": "everyone"}}
    assert (found.people, found.policies) == (None, None)


def test_an_entry_with_a_kind_stands_alone() -> None:
    text = "servers:\n  warehouse: {kind: sql, url: 'sqlite:///x.db', owner: o, support: s}\n"
    assert read(text).servers == {"warehouse": {"kind": "sql", "url": "sqlite:///x.db", "owner": "o", "support": "s"}}


def test_people_alone_can_be_proposed() -> None:
    found = read("people:\n  bob: {groups: [data-eng]}\n")
    assert (found.people, found.servers) == ({"bob": frozenset({"data-eng"})}, {})


def test_a_policy_takes_the_place_of_its_name_and_the_others_stay() -> None:
    other = PolicyText("company.cedar", "forbid (c)")
    assert read("", other).policies == (other,)
    assert read("", MORE).policies == (COMPANY, MORE)


def test_the_policies_that_the_file_names_are_all_that_there_are() -> None:
    assert read("policies: [more.cedar]\n", MORE).policies == (MORE,)
    assert read("policies: [more.cedar, company.cedar]\n", MORE).policies == (MORE, COMPANY)
    assert read("policies: []\n").policies == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("servers:\n  warehouse:\n    acess: everyone\n", "line 3, column 5: unknown key servers.warehouse.acess"),
        ("servers:\n  warehouse:\n    access: grp:x\n", "line 3, column 13: servers.warehouse.access"),
        ("servers:\n  shop:\n    access: everyone\n", "line 2, column 3: server shop has no kind"),
        ("servers: [1]\n", "servers"),
        ("servers:\n  warehouse: 7\n", "line 2, column 14: servers.warehouse"),
        ("people: {bob: {groups: 7}}\n", "line 1, column 24: people.bob.groups"),
        ("servers:\n  warehouse: [\n", "line 3, column 1"),
        ("policies: [lost.cedar]\n", "line 1, column 12: policies names lost.cedar, which is not here"),
        ("[" * 60, "line 1, column 1: it is nested too deeply"),
        ("".join(f"{' ' * n}a:\n" for n in range(2000)), "nested too deeply"),
    ],
)
def test_a_fault_is_named_with_its_line_and_column(text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        read(text)
    assert said in refused.value.message
    assert refused.value.message.startswith("fleet.yaml")


def test_a_narrowing_that_fits_no_tool_is_told_with_its_place() -> None:
    text = "servers:\n  warehouse:\n    tools:\n      gone: {policy: nobody}\n"
    fault = UnknownNarrowing("warehouse", "gone", "the fleet narrows gone", "its tools are none")
    told = located(fault, read(text).document)
    assert (told.code, told.message) == ("unknown-narrowing", "fleet.yaml, line 4, column 7: the fleet narrows gone")
    assert located(fault, None) is fault


def test_a_policy_that_the_file_does_not_name_would_not_be_in_force() -> None:
    with pytest.raises(Misconfigured, match=r"line 1, column 1: policies does not name more\.cedar"):
        read("policies: [company.cedar]\n", MORE)


@pytest.mark.parametrize("texts", [(), (PolicyText("../up.cedar", "x"),), (PolicyText("company.txt", "x"),)])
def test_nothing_and_what_is_no_policy_file_are_refused(texts: tuple[PolicyText, ...]) -> None:
    with pytest.raises(Invalid):
        read(" \n", *texts)
