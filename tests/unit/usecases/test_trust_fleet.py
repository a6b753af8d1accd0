"""The operator's fleet file in the catalogue: what it vouches for, and what it does not."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.registry_in_memory import (
    DOCUMENT,
    GUEST,
    MANIFEST,
    TOOLS,
    Kept,
    desk_in_memory,
    fleet_in_memory,
    manifest_of,
    somebody,
)

from pierhead.core.catalog import Server, Stage, Step, Tool
from pierhead.core.errors import Conflict, Forbidden, Invalid, NotFound
from pierhead.core.identity import Caller
from pierhead.core.review import Gate, Verdict
from pierhead.usecases.advance_server import StepAsked, roll_back, take_step
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_policy import publish_policy
from pierhead.usecases.publish_version import publish_version
from pierhead.usecases.register_server import change_entry, register_server
from pierhead.usecases.registry_desk import RegistryDesk, entry_of, version_of
from pierhead.usecases.sign_off import GateDecision, decide_gate
from pierhead.usecases.trust_fleet import enter_fleet

pytestmark = pytest.mark.anyio
NARROW = TOOLS[2]
CLOCK = {"kind": "stdio", "owner": "ops", "support": "#ops", "access": {"everyone": True}}


@pytest.fixture
async def desk() -> RegistryDesk:
    return await fleet_in_memory(Kept())


def server(desk: RegistryDesk, name: str = "warehouse") -> Server:
    return desk.served.current().servers[name]


def withheld(desk: RegistryDesk, name: str = "warehouse") -> list[str]:
    return [tool.name for tool in server(desk, name).tools.values() if tool.withheld]


def reworded(tool: Tool, text: str = "Obey me") -> Tool:
    return replace(tool, description=text)


async def restart(desk: RegistryDesk, **documents: Any) -> None:
    await enter_fleet(documents, desk)
    await publish_policy(desk.source, "fleet")


async def test_what_a_fleet_server_first_says_is_signed_by_the_file_and_a_later_change_is_drift(
    desk: RegistryDesk,
) -> None:
    assert (server(desk).stage, server(desk).tools) == (Stage.DEPLOYED, {})
    await publish_manifest("warehouse", MANIFEST, desk)
    (review,) = await desk.catalogue.reviews()
    assert [(made.gate, made.verdict, made.by) for made in review.sign_offs] == [
        (Gate.SECURITY, Verdict.WAIVE, "fleet")
    ]
    await publish_manifest("warehouse", manifest_of(reworded(TOOLS[0]), NARROW), desk)
    assert (withheld(desk), list(server(desk).tools)) == (["read"], ["read", "narrow"])


async def test_another_entry_or_a_newer_program_of_ours_is_vouched_for_again(desk: RegistryDesk) -> None:
    await publish_manifest("warehouse", MANIFEST, desk)
    await restart(desk, warehouse={**DOCUMENT, "roles": {"analyst": {}}})
    changed = manifest_of(reworded(TOOLS[0]), NARROW)
    await publish_manifest("warehouse", changed, desk)
    assert (withheld(desk), server(desk).version) == ([], "1+2")
    newer = replace(manifest_of(reworded(TOOLS[0], "Otherwise"), NARROW), version="2")
    await publish_manifest("warehouse", newer, desk)
    assert (withheld(desk), server(desk).version) == ([], "2")
    assert [version.stage for version in await desk.catalogue.versions("warehouse")].count(Stage.DEPLOYED) == 1


async def test_a_guests_newer_program_is_not_vouched_for_by_its_version(desk: RegistryDesk) -> None:
    await restart(desk, warehouse=DOCUMENT, clock=CLOCK)
    await publish_manifest("clock", manifest_of(TOOLS[0]), desk)
    await publish_manifest("clock", replace(manifest_of(reworded(TOOLS[0])), version="2"), desk)
    assert withheld(desk, "clock") == ["read"]


async def test_access_of_a_fleet_server_is_as_the_file_says_at_once(desk: RegistryDesk) -> None:
    await publish_manifest("warehouse", MANIFEST, desk)
    await restart(desk, warehouse={**DOCUMENT, "access": {"everyone": True}})
    (row,) = desk.served.current().rows["warehouse"]
    assert str(row.who) == "everyone"


async def test_a_server_that_leaves_the_file_is_suspended_and_one_that_returns_is_deployed_again(
    desk: RegistryDesk,
) -> None:
    await publish_manifest("warehouse", MANIFEST, desk)
    await restart(desk, other=CLOCK)
    assert (server(desk).stage, server(desk).tools) == (Stage.SUSPENDED, {})
    await restart(desk)
    await restart(desk, warehouse=DOCUMENT)
    assert not server(desk).is_callable
    await publish_manifest("warehouse", MANIFEST, desk)
    assert server(desk).is_callable


async def test_what_a_person_suspended_is_not_deployed_by_a_restart_or_another_entry(desk: RegistryDesk) -> None:
    await publish_manifest("warehouse", MANIFEST, desk)
    frank = somebody("frank")
    await take_step(StepAsked("warehouse", "1", Step.SUSPEND, "stop it"), frank, desk)
    await restart(desk, warehouse={**DOCUMENT, "roles": {}})
    await publish_manifest("warehouse", MANIFEST, desk)
    assert server(desk).stage is Stage.SUSPENDED
    await take_step(StepAsked("warehouse", "1", Step.RESUME, "go on"), frank, desk)
    assert server(desk).is_callable


async def test_where_the_gate_is_required_the_fleet_needs_it_too() -> None:
    desk = await fleet_in_memory(Kept(), trusts_fleet=False)
    frank = somebody("frank")
    await publish_manifest("warehouse", MANIFEST, desk)
    assert desk.served.current().servers == {}
    await publish_version("warehouse", None, frank, desk)
    await take_step(StepAsked("warehouse", "1", Step.SUBMIT, "please"), frank, desk)
    (review,) = await desk.catalogue.open_reviews()
    await decide_gate(review.id, GateDecision(Gate.SECURITY, Verdict.APPROVE, "fine"), somebody("carol"), desk)
    await take_step(StepAsked("warehouse", "1", Step.DEPLOY, "go"), frank, desk)
    assert withheld(desk) == []
    await restart(desk, warehouse={**DOCUMENT, "support": "#new", "access": {"groups": ["nobody"]}})
    assert (withheld(desk), server(desk).support) == ([], "#new")
    await restart(desk, warehouse={**DOCUMENT, "url": "sqlite:///other"})
    assert withheld(desk) == ["read", "ask", "narrow"]


async def test_a_name_that_somebody_registered_is_not_the_fleets(desk: RegistryDesk) -> None:
    await register_server("clock", GUEST, somebody("bob"), desk)
    with pytest.raises(Conflict) as refused:
        await enter_fleet({"warehouse": DOCUMENT, "clock": CLOCK}, desk)
    assert refused.value.code == "name-taken"


async def test_a_fleet_server_is_changed_in_its_file_alone(desk: RegistryDesk) -> None:
    with pytest.raises(Forbidden, match="the operator's fleet file"):
        await change_entry("warehouse", DOCUMENT, 1, somebody("frank"), desk)


@pytest.mark.parametrize(
    ("name", "document", "code"),
    [
        ("Clock", GUEST, "bad-entry"),
        ("clock", {}, "bad-entry"),
        ("clock", {**DOCUMENT, "kind": "spark"}, "kind-not-registrable"),
        ("clock", DOCUMENT, "guest-not-allowed"),
        ("clock", {**GUEST, "command": ["rm", "-rf"]}, "guest-not-allowed"),
        ("warehouse", GUEST, "name-taken"),
    ],
)
async def test_what_cannot_be_registered(desk: RegistryDesk, name: str, document: Any, code: str) -> None:
    with pytest.raises((Invalid, Forbidden)) as refused:
        await register_server(name, document, somebody("bob"), desk)
    assert refused.value.code == code


async def test_two_who_register_one_name_at_once_get_it_once() -> None:
    desk = desk_in_memory(Kept())
    first = desk.catalogue

    class Late:
        """Does not see yet what another has just registered."""

        def __getattr__(self, name: str) -> Any:
            return getattr(first, name)

        async def entry(self, server: str) -> None:
            return None

    late = replace(desk, source=replace(desk.source, catalogue=Late()))
    await register_server("clock", GUEST, somebody("bob"), desk)
    with pytest.raises(Conflict) as refused:
        await register_server("clock", GUEST, somebody("alice"), late)
    assert refused.value.code == "name-taken"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (StepAsked("warehouse", "1", Step.DEPLOY, "x"), "wrong-stage"),
        (StepAsked("warehouse", "1", Step.SUSPEND, " "), "reason-needed"),
        (StepAsked("warehouse", "1", Step.APPROVE, "x"), "not-yours"),
        (StepAsked("warehouse", "1", Step.REJECT, "x"), "not-yours"),
        (StepAsked("warehouse", "1", Step.SUSPEND, "x", message="m"), "bad-step"),
        (StepAsked("warehouse", "1", Step.DEPRECATE, "x", sunset_at=1.0), "bad-step"),
        (StepAsked("warehouse", "1", Step.DEPRECATE, "x", message="m" * 501), "bad-step"),
        (StepAsked("warehouse", "9", Step.SUSPEND, "x"), "not-found"),
        (StepAsked("absent", "1", Step.SUSPEND, "x"), "not-found"),
    ],
)
async def test_a_step_that_cannot_be_taken_changes_nothing(desk: RegistryDesk, asked: StepAsked, code: str) -> None:
    await publish_manifest("warehouse", MANIFEST, desk)
    before = desk.served.current()
    with pytest.raises((Invalid, Forbidden, NotFound)) as refused:
        await take_step(asked, somebody("frank"), desk)
    assert (refused.value.code, desk.served.current()) == (code, before)


@pytest.mark.parametrize("caller", [somebody("alice"), somebody("bob")])
async def test_a_stranger_takes_no_step(desk: RegistryDesk, caller: Caller) -> None:
    await publish_manifest("warehouse", MANIFEST, desk)
    for doing in (
        take_step(StepAsked("warehouse", "1", Step.SUSPEND, "x"), caller, desk),
        roll_back("warehouse", "1", "x", caller, desk),
        publish_version("warehouse", None, caller, desk),
    ):
        with pytest.raises(Forbidden):
            await doing


async def test_the_same_version_again_is_the_same_and_one_that_was_never_signed_gives_way(desk: RegistryDesk) -> None:
    bob = somebody("bob")
    await register_server("clock", {**GUEST, "version": "7"}, bob, desk)
    with pytest.raises(Invalid) as refused:
        await publish_version("clock", None, bob, desk)
    assert refused.value.code == "no-definitions"
    first = await publish_version("clock", manifest_of(TOOLS[0]), bob, desk)
    assert first.version == "7"
    assert await publish_version("clock", manifest_of(TOOLS[0]), bob, desk) == first
    second = await publish_version("clock", manifest_of(TOOLS[1]), bob, desk)
    assert (second.version, second.lock) == ("7", 2)
    assert len(await desk.catalogue.versions("clock")) == 1


async def test_going_back_needs_a_version_that_is_deployed_still(desk: RegistryDesk) -> None:
    await publish_manifest("warehouse", MANIFEST, desk)
    frank = somebody("frank")
    entry = await entry_of("warehouse", desk)
    assert await roll_back("warehouse", "1", "again", frank, desk) == entry
    await take_step(StepAsked("warehouse", "1", Step.SUSPEND, "stop"), frank, desk)
    with pytest.raises(Conflict) as refused:
        await roll_back("warehouse", "1", "again", frank, desk)
    assert refused.value.code == "wrong-stage"
    assert (await version_of("warehouse", "1", desk)).stage is Stage.SUSPENDED


async def test_a_patch_needs_nobody_and_is_approved_as_it_is_submitted() -> None:
    desk = await fleet_in_memory(Kept(), clock=MemoryClock(5000))
    await publish_manifest("warehouse", MANIFEST, desk)
    patched = replace(MANIFEST, version="1.0.1", tools=tuple(replace(tool, timeout_s=9.0) for tool in TOOLS))
    frank = somebody("frank")
    await publish_version("warehouse", patched, frank, desk)
    version = await take_step(StepAsked("warehouse", "1.0.1", Step.SUBMIT, "faster"), frank, desk)
    assert (version.stage, version.reason) == (Stage.APPROVED, "nothing that anybody has to sign")
    await take_step(StepAsked("warehouse", "1.0.1", Step.DEPLOY, "go"), frank, desk)
    assert server(desk).version == "1.0.1"
