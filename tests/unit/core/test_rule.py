"""The short form of policy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import samples
from tests.unit.samples import AGENT, ALICE, ROBOT

from pierhead.core.errors import Invalid
from pierhead.core.identity import ANONYMOUS, Both, Party, Principal
from pierhead.core.rule import NOBODY, Who, parse_who


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("nobody", NOBODY),
        ("everyone", Who(any_person=True)),
        ("group:data-eng", Who(groups=frozenset({"data-eng"}))),
        ("user:ann@example.com", Who(users=frozenset({"ann@example.com"}))),
        (f"workload:{ROBOT}", Who(workloads=frozenset({ROBOT}))),
        ("group:a or user:b  or  group:c", Who(groups=frozenset({"a", "c"}), users=frozenset({"b"}))),
        (" group:a ", Who(groups=frozenset({"a"}))),
        ("nobody or group:a", Who(groups=frozenset({"a"}))),
    ],
)
def test_a_short_form_reads(text: str, who: Who) -> None:
    assert parse_who(text) == who


@pytest.mark.parametrize(
    "text",
    ["", " ", "group:", "group", "data-eng", "group:a and group:b", "group:a, group:b", "Group:a", "group:a or",
     "group:a\nb", "everyone else", "*", "group:*", "group:a b", "user:" + "x" * 257],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_and_never_means_somebody(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_who(text)
    assert refused.value.code == "policy-syntax"


def test_every_term_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Invalid, match="cannot read policy 'grp:a or group:b or usr:c': 'grp:a', 'usr:c'"):
        parse_who("grp:a or group:b or usr:c")


@given(samples.whos)
def test_what_is_written_reads_back(who: Who) -> None:
    assert parse_who(str(who)) == who


@given(samples.principals, st.sampled_from(Party))
def test_nobody_admits_nobody(principal: Principal, party: Party) -> None:
    assert not NOBODY.admits(principal, party)


@given(samples.whos, st.sampled_from(Party))
def test_anonymous_is_never_admitted(who: Who, party: Party) -> None:
    assert not who.admits(ANONYMOUS, party)


def test_everyone_means_persons_and_no_workload() -> None:
    everyone = parse_who("everyone")
    assert everyone.admits(ALICE, Party.PERSON)
    assert not everyone.admits(AGENT, Party.WORKLOAD)
    assert not everyone.admits(AGENT, Party.PERSON)
    assert not everyone.admits(Both(ALICE, AGENT), Party.WORKLOAD)


@pytest.mark.parametrize("text", ["group:data-eng", "user:alice", "group:ads or user:alice"])
def test_a_person_is_admitted_by_group_or_name(text: str) -> None:
    assert parse_who(text).admits(ALICE, Party.PERSON)
    assert not parse_who(text).admits(ALICE, Party.WORKLOAD)


def test_a_workload_is_admitted_by_its_id_alone() -> None:
    assert parse_who(f"workload:{ROBOT}").admits(AGENT, Party.WORKLOAD)
    assert not parse_who(f"workload:{ROBOT}x").admits(AGENT, Party.WORKLOAD)
    assert not parse_who(f"user:{ROBOT}").admits(AGENT, Party.WORKLOAD)


def test_what_is_left_to_policies_admits_nobody_by_itself_and_narrows_as_a_name_does() -> None:
    left = parse_who("group:ads or policies")
    assert left.by_policies
    assert str(left) == "group:ads or policies"
    assert not parse_who("policies").admits(ALICE, Party.PERSON)
    assert not left.is_within(parse_who("group:ads"))
    assert parse_who("group:ads").is_within(left)
    assert left.is_within(parse_who("group:ads or group:x or policies"))
    assert left.within(parse_who("policies")) == parse_who("policies")
    assert left.within(parse_who("everyone")) == parse_who("group:ads")


def test_what_stands_in_both_is_the_same_from_either_side() -> None:
    everyone, ads, ann = parse_who("everyone"), parse_who("group:ads"), parse_who("user:ann")
    for narrow in (ads, ann):
        assert everyone.within(narrow) == narrow.within(everyone) == narrow
    assert ads.within(parse_who("group:legal")) == ann.within(parse_who("user:bob")) == NOBODY


def test_everyone_is_said_first_and_policies_last() -> None:
    assert str(parse_who("policies or group:b or everyone or user:a")) == "everyone or group:b or user:a or policies"
