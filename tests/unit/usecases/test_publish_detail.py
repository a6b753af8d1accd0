"""A `server.json` under our own namespace: registered first, submitted once its definitions are known."""

from dataclasses import replace
from typing import Any, Final

import pytest
from tests.unit.registry_in_memory import TOOLS, Kept, desk_in_memory, manifest_of, somebody

from pierhead.core.catalog import Stage, Step
from pierhead.core.errors import Forbidden, Invalid
from pierhead.core.review import Gate, Verdict
from pierhead.core.scope import WRITE, ScopeMissing
from pierhead.usecases.advance_server import StepAsked, take_step
from pierhead.usecases.official_forms import Place
from pierhead.usecases.publish_detail import publish_detail
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_version import MOST_UNSIGNED
from pierhead.usecases.sign_off import GateDecision, decide_gate

pytestmark = pytest.mark.anyio

HERE: Final = Place("com.example", "https://mcp.corp.example")
DETAIL: Final[dict[str, Any]] = {
    "name": "com.example/clock",
    "description": "What time it is.",
    "version": "1",
    "remotes": [{"type": "streamable-http", "url": "https://clock.example/mcp"}],
    "_meta": {
        "com.example/registry": {
            "owner": "web",
            "support": "#web",
            "access": {"groups": ["data-eng"]},
            "tools": {TOOLS[0].name: {"policy": "everyone", "effect": "read", "minutes_saved": 1}},
        }
    },
}


async def test_it_is_registered_first_and_submitted_once_its_definitions_are_known() -> None:
    desk = desk_in_memory(Kept())
    bob = replace(somebody("bob"), scopes=frozenset({WRITE}))
    first = await publish_detail(DETAIL, bob, HERE, desk)
    assert (first.stage, "not read yet" in first.notes[-1]) == (Stage.REGISTERED, True)
    await publish_manifest("clock", manifest_of(TOOLS[0]), desk)
    again = await publish_detail(DETAIL, bob, HERE, desk)
    assert again.stage in {Stage.IN_REVIEW, Stage.APPROVED}
    third = await publish_detail(DETAIL, bob, HERE, desk)
    assert third.stage is again.stage, "what is in review is not submitted again"


async def test_a_name_of_another_namespace_is_refused() -> None:
    with pytest.raises(Forbidden):
        await publish_detail({**DETAIL, "name": "org.other/clock"}, somebody("bob"), HERE, desk_in_memory(Kept()))


async def test_a_token_that_may_only_read_changes_nothing_that_is_known() -> None:
    desk = desk_in_memory(Kept())
    await publish_detail(DETAIL, somebody("bob"), HERE, desk)
    with pytest.raises(ScopeMissing):
        await publish_detail(DETAIL, somebody("bob"), HERE, desk)


async def test_a_newer_version_of_an_imported_server_is_reviewed_while_clients_keep_the_old_one() -> None:
    desk = desk_in_memory(Kept())
    bob = replace(somebody("bob"), scopes=frozenset({WRITE}))
    await publish_detail(DETAIL, bob, HERE, desk)
    await publish_manifest("clock", manifest_of(TOOLS[0]), desk)
    await publish_detail(DETAIL, bob, HERE, desk)
    (review,) = await desk.catalogue.open_reviews()
    await decide_gate(review.id, GateDecision(Gate.SECURITY, Verdict.APPROVE, "read it"), somebody("carol"), desk)
    await take_step(StepAsked("clock", "1", Step.DEPLOY, "go"), bob, desk)

    moved = {**DETAIL, "version": "2", "remotes": [{"type": "streamable-http", "url": "https://clock.example/v2"}]}
    newer = await publish_detail(moved, bob, HERE, desk)
    assert (newer.version, newer.stage) == ("2", Stage.IN_REVIEW)
    versions = {version.version: version for version in await desk.catalogue.versions("clock")}
    assert {name: version.stage for name, version in versions.items()} == {"1": Stage.DEPLOYED, "2": Stage.IN_REVIEW}
    assert versions["1"].document["url"] == "https://clock.example/mcp", "what was signed stays as it was"
    assert versions["2"].document["url"] == "https://clock.example/v2"
    entry = await desk.catalogue.entry("clock")
    assert entry is not None
    assert (entry.current, desk.served.current().servers["clock"].version) == ("1", "1")
    (waiting,) = await desk.catalogue.open_reviews()
    assert (waiting.binding.version, waiting.required) == ("2", {Gate.SECURITY})


async def test_a_list_of_many_versions_is_no_server_and_is_refused_before_it_is_read() -> None:
    desk = desk_in_memory(Kept())
    many = {**DETAIL, "packages": [{"identifier": "clock", "version": str(number)} for number in range(1_000)]}
    with pytest.raises(Invalid) as refused:
        await publish_detail(many, somebody("bob"), HERE, desk)
    assert refused.value.code == "import-too-large"
    assert await desk.catalogue.entries() == {}


async def test_a_server_has_so_many_versions_that_nobody_has_signed_and_no_more() -> None:
    desk = desk_in_memory(Kept())
    bob = replace(somebody("bob"), scopes=frozenset({WRITE}))
    await publish_detail(DETAIL, bob, HERE, desk)
    await publish_manifest("clock", manifest_of(TOOLS[0]), desk)
    for number in range(MOST_UNSIGNED):
        await publish_detail({**DETAIL, "version": f"1.{number}"}, bob, HERE, desk)
    with pytest.raises(Invalid) as refused:
        await publish_detail({**DETAIL, "version": "2"}, bob, HERE, desk)
    assert refused.value.code == "too-many-versions"
    await take_step(StepAsked("clock", "1.0", Step.WITHDRAW, "not needed"), bob, desk)
    await take_step(StepAsked("clock", "1.0", Step.RETIRE, "not needed"), bob, desk)
    assert (await publish_detail({**DETAIL, "version": "2"}, bob, HERE, desk)).stage is Stage.IN_REVIEW
