"""What is left out before Cedar is asked changes no answer: policies of other servers, and groups that none names."""

from dataclasses import replace
from functools import cache

from hypothesis import given
from hypothesis import strategies as st
from tests.searching import examples
from tests.unit.samples import AGENT, ISSUER, SERVER, TOOL

from pierhead.adapters.cedar import CedarPolicies
from pierhead.core.errors import Invalid
from pierhead.core.identity import Both, Caller, Principal, User
from pierhead.core.policy import Question
from pierhead.core.snapshot import PolicyText

GROUPS = ("data-eng", "ads", "web", "legal")
SCOPES = (
    "principal",
    *(f'principal in Group::"{name}"' for name in GROUPS[:3]),
    'principal is Person in Group::"ads"',
    'principal == Person::"alice"',
    "principal is Workload",
)
ACTIONS = ("action", 'action == Action::"reach"', 'action == Action::"use"', 'action in [Action::"use"]')
PLACES = (
    "resource",
    'resource == Server::"warehouse"',
    'resource in Server::"warehouse"',
    'resource == Tool::"warehouse.run_query"',
    'resource == Server::"elsewhere"',
    'resource in Server::"elsewhere"',
    'resource == Tool::"elsewhere.run_query"',
    "resource is Tool",
)
CONDITIONS = (
    "true",
    'principal in [Group::"web", Group::"legal"]',
    '!(principal in Group::"ads")',
    'context has person && context.person in Group::"data-eng"',
    'if principal in Group::"legal" then context.surface == "ide" else true',
    "9223372036854775807 + 1 > 0",
)


@cache
def can_be_read(text: str) -> bool:
    """Whether it can ever speak of anything, as the schema has it."""
    try:
        CedarPolicies.read((PolicyText("company.cedar", text),))
    except Invalid:
        return False
    return True


def written(effect: str, who: str, action: str, place: str, when: str) -> str:
    return f"{effect} ({who}, {action}, {place}) when {{ {when} }};"


def somebody(groups: frozenset[str], *, through_an_agent: bool) -> Principal:
    user = User(ISSUER, "alice", groups)
    return Both(user, AGENT) if through_an_agent else user


_PARTS = (("permit", "forbid"), SCOPES, ACTIONS, PLACES, CONDITIONS)
POLICIES = st.builds(written, *(st.sampled_from(each) for each in _PARTS)).filter(can_be_read)
NAMES = (*GROUPS, "unnamed", 'Group::"ads"')
WHO = st.builds(somebody, st.frozensets(st.sampled_from(NAMES)), through_an_agent=st.booleans())


def whole(read: CedarPolicies, groups: frozenset[str]) -> CedarPolicies:
    """The same policies with nothing left out."""
    policies = tuple(replace(each, server=None, question=None) for each in read._policies)
    return CedarPolicies(read.texts, policies, groups)


@examples(150)
@given(st.lists(POLICIES, min_size=1, max_size=6), WHO, st.sampled_from(["ide", "chat"]))
def test_the_answer_is_that_of_all_policies_and_all_groups(texts: list[str], who: Principal, surface: str) -> None:
    read = CedarPolicies.read((PolicyText("company.cedar", "\n".join(texts)),))
    asked = Caller(who, surface, "local", "c")
    unsliced = whole(read, frozenset(NAMES))
    for question, tool in ((Question.REACH, None), (Question.USE, TOOL)):
        sliced = read.matches(asked, question, SERVER, tool)
        assert sliced == unsliced.matches(asked, question, SERVER, tool)


def test_a_group_that_is_named_anywhere_counts() -> None:
    text = 'forbid (principal, action, resource) unless { ["x"].contains("y") || principal in Group::"night-shift" };'
    read = CedarPolicies.read((PolicyText("company.cedar", text),))
    for groups, matched in ((frozenset({"night-shift", "other"}), 0), (frozenset({"other"}), 1)):
        asked = Caller(User(ISSUER, "alice", groups), "ide", "local", "c")
        assert len(read.matches(asked, Question.USE, SERVER, TOOL)) == matched
