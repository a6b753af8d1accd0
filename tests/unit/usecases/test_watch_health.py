"""Looks at servers become what is known of them, and facts where that changed."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pierhead.core.errors import Invalid
from pierhead.core.health import FLAP_WINDOW_S, Condition, Dependency, Probe, judge
from pierhead.usecases.health_forms import (
    health_from_form,
    health_to_form,
    probe_from_form,
    probe_to_form,
)
from pierhead.usecases.memory_health import MemoryHealths
from pierhead.usecases.watch_health import MOST_AT_ONCE, keep_looks

UP = Probe(
    server="time",
    version="1",
    at=1000.0,
    condition=Condition.UP,
    latency_ms=3.0,
    reason="",
    tools_digest="d",
    is_as_published=True,
    dependencies=(Dependency("guest", Condition.UP, ""),),
)


def told(*conditions: Condition, every: float = 10.0, **changes: Any) -> MemoryHealths:
    healths = MemoryHealths()

    async def story() -> None:
        for place, condition in enumerate(conditions):
            probe = replace(UP, at=1000 + place * every, condition=condition, **changes)
            await keep_looks([probe], healths, probe.at)

    asyncio.run(story())
    return healths


def changes(healths: MemoryHealths) -> list[tuple[str, str]]:
    return [(fact.source, fact.target) for fact in healths.facts]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def test_a_server_that_stays_up_makes_no_fact() -> None:
    assert changes(told(*[Condition.UP] * 20)) == []


def test_each_change_of_condition_is_one_fact_with_its_reason() -> None:
    healths = told(Condition.UP, Condition.DOWN, Condition.DOWN, Condition.UP, reason="it is away")
    assert changes(healths) == [("up", "down"), ("down", "up")]
    assert healths.facts[0].reason == "it is away"  # pyright: ignore[reportAttributeAccessIssue]


def test_a_first_look_that_finds_a_server_down_is_news() -> None:
    assert changes(told(Condition.DOWN)) == [("up", "down")]


def test_a_flapping_server_makes_no_flood_of_facts() -> None:
    healths = told(*[Condition.UP, Condition.DOWN] * 500)
    assert changes(healths)[-1] == ("up", "flapping")
    assert len(healths.facts) == 5
    quiet = replace(UP, at=1000 + 1000 * 10 + FLAP_WINDOW_S + 1, condition=Condition.DOWN)
    asyncio.run(keep_looks([quiet], healths, quiet.at))
    assert changes(healths)[-1] == ("flapping", "down")


def test_many_servers_are_told_of_at_once_and_each_once() -> None:
    healths = MemoryHealths()
    asyncio.run(keep_looks([replace(UP, server=f"s{n}") for n in range(3)], healths, 1.0))
    assert len(asyncio.run(healths.healths())) == 3
    with pytest.raises(Invalid):
        asyncio.run(keep_looks([UP, UP], healths, 1.0))
    with pytest.raises(Invalid):
        asyncio.run(keep_looks([replace(UP, server=f"s{n}") for n in range(MOST_AT_ONCE + 1)], healths, 1.0))


def test_looks_and_what_is_known_are_read_as_they_were_written() -> None:
    assert probe_from_form(probe_to_form(UP), UP.at) == UP
    health = judge(judge(None, UP), replace(UP, at=1010.0, condition=Condition.DOWN))
    assert health_from_form(health_to_form(health)) == health


@pytest.mark.parametrize(
    "change",
    [
        {"server": 3},
        {"condition": "flapping"},
        {"condition": "well"},
        {"latency_ms": -1},
        {"latency_ms": True},
        {"latency_ms": "3"},
        {"dependencies": {}},
        {"dependencies": [{"name": "x"}]},
        {"reason": None},
    ],
)
def test_what_is_no_look_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        probe_from_form({**probe_to_form(UP), **change}, 1.0)
    assert refused.value.code == "wire-form"


@pytest.mark.parametrize("form", [None, [], {}, {"last": probe_to_form(UP), "condition": "up"}])
def test_what_is_no_health_is_refused(form: object) -> None:
    with pytest.raises(Invalid):
        health_from_form(form)


def test_the_last_looks_come_newest_first() -> None:
    healths = told(Condition.UP, Condition.DOWN, Condition.UP)
    found = asyncio.run(healths.probes(UP.server, 2))
    assert [look.condition for look in found] == [Condition.UP, Condition.DOWN]
    assert asyncio.run(healths.probes("unknown", 2)) == []
