"""What is wrong with the servers of a fleet, and who must act."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.samples import SERVER, TOOL

from pierhead.core.catalog import Server, Stage
from pierhead.core.health import Condition, Health, Probe
from pierhead.core.review import Binding, ChangeClass, Gate, Review, SignOff, Verdict
from pierhead.core.usage import Minutes
from pierhead.usecases.fleet_health import (
    BASELINE_DAYS,
    STALE_DAYS,
    UNUSED_DAYS,
    Company,
    Concern,
    Known,
    Trouble,
    fleet_health,
    known_of,
)
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.memory_health import MemoryHealths
from pierhead.usecases.memory_records import MemoryRecords

DAY = 86_400.0
NOW = 1_000 * DAY
COMPANY = Company(frozenset({"data-platform"}), {Gate.SECURITY: "security-reviewers"}, "platform-admin")
PROBE = Probe(
    "warehouse", "1", NOW, Condition.DOWN, 1.0, "connection refused", "d", is_as_published=True, dependencies=()
)
UNTIMED = replace(SERVER, tools={"run_query": replace(TOOL, minutes=Minutes.estimate(0))})
OUTLIVED = replace(
    SERVER, tools={"run_query": replace(TOOL, minutes=Minutes(6, 3, 9, "timed", NOW - BASELINE_DAYS * DAY))}
)


def review(days: float, expires: float = NOW + DAY, **changes: Any) -> Review:
    signed = SignOff(Gate.SECURITY, Verdict.APPROVE, "carol", NOW - days * DAY, "good", (), (), expires)
    made = Review(
        id=f"r{days}",
        binding=Binding("warehouse", "1.0.0", "t", "m", "a"),
        change=ChangeClass.FIRST,
        submitted_by="alice",
        submitted_at=NOW - days * DAY,
        required=frozenset({Gate.SECURITY}),
        due_at=(),
        sign_offs=(signed,),
        comments=(),
        closed_at=NOW - days * DAY,
        lock=0,
    )
    return replace(made, **changes)


def known(**changes: Any) -> Known:
    return replace(Known({}, {"warehouse": 3}, {"warehouse": review(1)}, NOW), **changes)


def found(server: Server = SERVER, company: Company = COMPANY, **changes: Any) -> tuple[Concern, ...]:
    return fleet_health([server], known(**changes), company, lambda _: True)


def test_a_server_that_is_used_signed_owned_and_up_needs_nobody() -> None:
    up = Health(replace(PROBE, condition=Condition.UP), Condition.UP, NOW, NOW, 1, ())
    assert found(healths={"warehouse": up}) == ()


@pytest.mark.parametrize(
    ("server", "changes", "trouble", "must_act", "where"),
    [
        (
            SERVER,
            {"healths": {"warehouse": Health(PROBE, Condition.DOWN, NOW - 9, 0.0, 3, ())}},
            Trouble.ERRORS,
            "data-platform",
            "#data-help",
        ),
        (
            replace(SERVER, tools={"run_query": replace(TOOL, withheld="its definition changed")}),
            {},
            Trouble.DRIFT,
            "data-platform",
            "#data-help",
        ),
        (replace(SERVER, owner="left"), {}, Trouble.OWNERLESS, "platform-admin", ""),
        (SERVER, {"reviews": {"warehouse": review(9, NOW - 1)}}, Trouble.EXPIRED_REVIEW, "security-reviewers", ""),
        (OUTLIVED, {"reviews": {}}, Trouble.EXPIRED_BASELINE, "data-platform", "#data-help"),
        (
            SERVER,
            {"reviews": {"warehouse": review(UNUSED_DAYS)}, "calls": {}},
            Trouble.UNUSED,
            "data-platform",
            "#data-help",
        ),
        (UNTIMED, {"reviews": {"warehouse": review(STALE_DAYS)}}, Trouble.STALE, "data-platform", "#data-help"),
    ],
)
def test_each_trouble_names_who_must_act(
    server: Server, changes: Any, trouble: Trouble, must_act: str, where: str
) -> None:
    (concern,) = found(server, **changes)
    assert (concern.trouble, concern.must_act, concern.where) == (trouble, must_act, where)
    assert concern.sentence


@pytest.mark.parametrize("days", [UNUSED_DAYS - 1, 1])
def test_what_is_young_is_neither_unused_nor_stale(days: int) -> None:
    assert found(reviews={"warehouse": review(days)}, calls={}) == ()


def test_the_worst_comes_first_and_a_gate_without_reviewers_is_the_admins() -> None:
    withheld = {name: replace(TOOL, name=name, withheld="x") for name in ("a", "b")}
    company = replace(COMPANY, reviewers={})
    all_of_it = found(
        replace(SERVER, owner="left", tools={**withheld, **OUTLIVED.tools}),
        company,
        reviews={"warehouse": review(400, NOW - 1)},
        calls={},
        endings={("warehouse", "1.0.0"): NOW + DAY},
    )
    assert [each.trouble for each in all_of_it] == list(Trouble)[1:]
    assert all_of_it[0].sentence == "2 tools are withheld: not what was signed"
    assert all_of_it[3].must_act == "platform-admin"


@pytest.mark.parametrize(
    ("left_s", "told"), [(9.5 * DAY, "9 days"), (1.5 * DAY, "1 day"), (DAY - 1, "less than a day")]
)
def test_owners_are_told_how_long_their_server_can_still_be_called(left_s: float, told: str) -> None:
    ending = replace(SERVER, notice="deprecated; use lake instead", stage=Stage.DEPRECATED)
    (concern,) = found(ending, endings={("warehouse", "1.0.0"): NOW + left_s})
    assert (concern.trouble, concern.must_act) == (Trouble.ENDING, "data-platform")
    assert concern.sentence == f"it can be called for {told} more; deprecated; use lake instead"
    assert found(ending, endings={("warehouse", "0.9.0"): NOW + left_s}) == ()


def test_only_servers_that_take_calls_and_may_be_known_are_judged() -> None:
    lost = replace(SERVER, owner="left")
    assert fleet_health([lost], known(), COMPANY, lambda _: False) == ()
    assert found(replace(lost, stage=Stage.SUSPENDED)) == ()


def test_where_an_identity_provider_knows_the_groups_nobody_is_said_to_be_gone() -> None:
    assert found(replace(SERVER, owner="left"), replace(COMPANY, groups=None)) == ()


def test_a_server_that_was_never_handed_in_is_judged_by_what_it_does_alone() -> None:
    assert found(reviews={}, calls={}) == ()


@pytest.mark.anyio
async def test_of_each_server_the_last_closed_review_counts() -> None:
    catalogue, records = MemoryCatalogue(), MemoryRecords([])
    for each in (review(9), review(5), review(7), review(1, closed_at=None)):
        catalogue.kept_reviews[each.id] = each
    kept = await known_of(catalogue, MemoryHealths(), records, NOW)
    assert kept == Known({}, {}, {"warehouse": review(5)}, NOW)
