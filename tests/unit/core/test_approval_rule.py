"""Rules of approval: whom they speak of, what they leave of a declared class, what conditions read of an estimate."""

from dataclasses import replace
from itertools import product

import pytest
from tests.unit.samples import AGENT, ALICE, ROBOT, caller

from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule, lowered
from pierhead.core.call import Parsed, digest
from pierhead.core.condition import parse_condition
from pierhead.core.foreseen import Estimate, Foreseen
from pierhead.core.identity import Both, Party
from pierhead.core.reach import EVERY
from pierhead.core.rule import NOBODY, parse_who

RULE = ApprovalRule(0, Approval.CONFIRM, True, EVERY, EVERY, EVERY, EVERY, EVERY, ())


def test_a_rule_speaks_of_whom_and_where_it_says() -> None:
    asking = caller(ALICE, "ide", "prod", "help")
    assert RULE.speaks_of(asking, Party.PERSON)
    for named in (
        {"surfaces": frozenset({"ide"})},
        {"environments": frozenset({"prod"})},
        {"channels": frozenset({"help"})},
        {"who": parse_who("group:data-eng")},
    ):
        assert replace(RULE, **named).speaks_of(asking, Party.PERSON), named
    for other in (
        {"surfaces": frozenset({"web"})},
        {"environments": frozenset()},
        {"channels": frozenset({"ads"})},
        {"who": parse_who("group:ads")},
    ):
        assert not replace(RULE, **other).speaks_of(asking, Party.PERSON), other


def test_each_party_is_spoken_of_by_itself() -> None:
    both = caller(Both(ALICE, AGENT))
    assert not replace(RULE, who=parse_who("group:data-eng")).speaks_of(both, Party.WORKLOAD)
    assert replace(RULE, who=parse_who(f"workload:{ROBOT}")).speaks_of(both, Party.WORKLOAD)


@pytest.mark.parametrize(
    ("declared", "to", "destructive", "left"),
    [
        ("approve", ["confirm"], True, "confirm"),
        ("approve", ["none"], True, "confirm"),
        ("approve", ["none"], False, "none"),
        ("four-eyes", ["confirm", "approve"], True, "approve"),
        ("confirm", ["approve"], False, "confirm"),
        ("approve", [], True, "approve"),
        ("deny", ["confirm"], False, "deny"),
        ("none", ["confirm"], False, "none"),
    ],
)
def test_the_strictest_rule_that_lowers_counts_and_none_of_them_raises(
    declared: str, to: list[str], destructive: bool, left: str
) -> None:
    rules = [replace(RULE, place=place, approval=Approval(each)) for place, each in enumerate(to)]
    assert lowered(Approval(declared), rules, is_destructive=destructive)[0] == left


def test_lowering_never_leaves_more_than_was_declared() -> None:
    for declared, to, destructive in product(Approval, Approval, (True, False)):
        left, by = lowered(declared, [replace(RULE, approval=to)], is_destructive=destructive)
        assert left.rank <= declared.rank
        assert (by is None) is (left is declared)


def test_a_rule_is_told_in_words() -> None:
    rule = replace(
        RULE,
        place=2,
        lowers=False,
        approval=Approval.FOUR_EYES,
        who=parse_who("group:ads"),
        environments=frozenset({"prod", "staging"}),
        surfaces=frozenset(),
        when=(parse_condition("estimate.rows > 10"), parse_condition("limit == 1")),
    )
    told = "needs four-eyes for group:ads from nowhere in prod or staging when estimate.rows > 10 and limit == 1"
    assert rule.told() == told
    assert (rule.name, RULE.name) == ("approvals[2].when", "approvals[0]")
    assert RULE.told() == "lowered to confirm"


def test_a_condition_tells_what_it_reads_inside_an_argument() -> None:
    assert parse_condition("estimate.rows > 1 and limit < estimate.cost").members("estimate") == {"rows", "cost"}
    assert parse_condition("estimate == null").members("estimate") == {""}
    assert parse_condition("estimate.rows.more == 1").members("estimate") == {"rows"}
    assert parse_condition("limit == 1").members("estimate") == frozenset()


def test_a_figure_that_is_none_is_not_given() -> None:
    given = Estimate(rows=float("nan"), bytes=float("inf"), tasks=-1, cost=2.5)
    assert given.judged() == {"cost": 2.5}
    assert Estimate(rows=True).judged() == {}
    assert Estimate(rows=1_200_000, cost=2.5).told() == "rows: 1,200,000, cost: 2.5"
    assert Estimate(rows=1, is_told=False).told() == ""


def test_an_argument_of_that_name_is_never_taken_for_the_servers_estimate() -> None:
    values = {"estimate": {"rows": 1}, "limit": 5}
    parsed = Parsed(values, digest(values), 1)
    assert parsed.weighed == {"limit": 5}
    assert replace(parsed, foreseen=Foreseen(estimate=Estimate(rows=9))).weighed == {
        "limit": 5,
        "estimate": {"rows": 9},
    }


def test_nobody_is_nobody() -> None:
    assert not replace(RULE, who=NOBODY).speaks_of(caller(), Party.PERSON)
