"""A weakened class or a lowered risk, from registration over change and drift to the review that it opens again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.registry_in_memory import GUEST, TOOLS, Kept, desk_in_memory, manifest_of, somebody

from pierhead.bootstrap.wire_approvals import EntryApprovers
from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Stage, Step, Tool
from pierhead.core.definitions import ChangeClass
from pierhead.core.review import Gate, Review, Verdict
from pierhead.usecases.advance_server import StepAsked, take_step
from pierhead.usecases.ports_catalogue import Origin
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_version import publish_version
from pierhead.usecases.read_reviews import changes_between, weakened
from pierhead.usecases.register_server import change_entry, register_server
from pierhead.usecases.registry_desk import RegistryDesk, version_of
from pierhead.usecases.sign_off import GateDecision, decide_gate

pytestmark = pytest.mark.anyio
PURGE = replace(TOOLS[0], name="purge", effect=Effect.DESTRUCTIVE, approval=Approval.FOUR_EYES)
BOB = somebody("bob")
REVIEWERS = {Gate.SECURITY: somebody("carol"), Gate.LEGAL: somebody("dave"), Gate.GENAI: somebody("erin")}
NAMED: Mapping[str, Any] = {**GUEST, "approvers": ["platform-admin"]}


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def desk(kept: Kept) -> RegistryDesk:
    return desk_in_memory(kept, trusts_fleet=False)


async def submitted(version: str, desk: RegistryDesk) -> Review:
    await take_step(StepAsked("clock", version, Step.SUBMIT, "please"), BOB, desk)
    return (await desk.catalogue.reviews("clock"))[-1]


async def deployed(desk: RegistryDesk, *tools: Tool, document: Mapping[str, Any] = NAMED) -> None:
    """The clock, registered, signed by whoever has to, and deployed."""
    await register_server("clock", document, BOB, desk)
    await publish_version("clock", manifest_of(*tools), BOB, desk)
    review = await submitted("1", desk)
    for gate in sorted(review.required):
        await decide_gate(review.id, GateDecision(gate, Verdict.APPROVE, "read"), REVIEWERS[gate], desk)
    await take_step(StepAsked("clock", "1", Step.DEPLOY, "go"), BOB, desk)


@pytest.mark.parametrize(
    ("weaker", "said"),
    [
        ({"approval": Approval.APPROVE}, "purge: approval four-eyes -> approve"),
        ({"approval": Approval.CONFIRM}, "purge: approval four-eyes -> confirm"),
        ({"approval": Approval.NONE, "effect": Effect.WRITE}, "purge: effect destructive -> write"),
        ({"effect": Effect.READ}, "purge: effect destructive -> read"),
    ],
)
async def test_a_weaker_tool_is_withheld_as_drift_and_security_is_asked_again(
    weaker: dict[str, Any], said: str, desk: RegistryDesk
) -> None:
    await deployed(desk, PURGE)
    changed = manifest_of(replace(PURGE, **weaker), version="2")
    await publish_manifest("clock", changed, desk)
    live = desk.served.current().servers["clock"].tools["purge"]
    assert live.withheld
    assert live.approval is Approval.FOUR_EYES

    made = await publish_version("clock", changed, BOB, desk)
    before = await version_of("clock", "1", desk)
    assert ChangeClass.MAJOR in changes_between(before, made)
    assert said in list(weakened(before, made))
    review = await submitted(made.version, desk)
    assert (review.change, Gate.SECURITY in review.required) == (ChangeClass.MAJOR, True)
    assert (await version_of("clock", made.version, desk)).stage is Stage.IN_REVIEW


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"approvers": ["platform-admin", "interns"]}, "approvers: interns may approve as well"),
        ({"approvers": None}, "approvers: no longer named"),
        (
            {"approvals": [{"tools": ["purge"], "lowers_to": "confirm"}]},
            'approvals: lowers lowers_to: "confirm", tools: ["purge"]',
        ),
        ({"data_class": "public"}, ""),
    ],
)
async def test_a_weaker_entry_is_major_and_nothing_of_it_holds_before_it_is_signed(
    document: dict[str, Any], said: str, desk: RegistryDesk
) -> None:
    await deployed(desk, PURGE)
    entry = await desk.catalogue.entry("clock")
    assert entry is not None
    after = {name: value for name, value in {**entry.document, **document}.items() if value is not None}
    await change_entry("clock", after, entry.lock, BOB, desk)
    approvers = EntryApprovers(desk.catalogue, ("everybody",))
    assert await approvers.of("clock") == ("platform-admin",)
    assert desk.served.current().servers["clock"].tools["purge"].rules == ()

    made = await publish_version("clock", manifest_of(PURGE), BOB, desk)
    before = await version_of("clock", "1", desk)
    assert ChangeClass.MAJOR in changes_between(before, made)
    assert list(weakened(before, made)) == ([said] if said else [])
    assert Gate.SECURITY in (await submitted(made.version, desk)).required


async def test_a_group_that_is_taken_away_approves_no_longer_at_once(desk: RegistryDesk) -> None:
    await deployed(desk, PURGE, document={**GUEST, "approvers": ["platform-admin", "interns"]})
    entry = await desk.catalogue.entry("clock")
    assert entry is not None
    await change_entry("clock", {**entry.document, "approvers": ["platform-admin"]}, entry.lock, BOB, desk)
    assert await EntryApprovers(desk.catalogue, ()).of("clock") == ("platform-admin",)


async def test_an_operator_who_vouches_for_the_fleet_file_has_signed_its_groups(desk: RegistryDesk) -> None:
    await deployed(desk, PURGE)
    entry = await desk.catalogue.entry("clock")
    assert entry is not None
    assert entry.origin is Origin.REGISTERED
    assert await EntryApprovers(desk.catalogue, (), trusts_fleet=True).of("clock") == ("platform-admin",)
    assert await EntryApprovers(desk.catalogue, ("others",)).of("unheard") == ("others",)


async def test_what_asks_more_people_is_not_called_weaker(desk: RegistryDesk) -> None:
    await deployed(desk, replace(PURGE, approval=Approval.APPROVE))
    made = await publish_version("clock", manifest_of(PURGE, TOOLS[0], version="2"), BOB, desk)
    before = await version_of("clock", "1", desk)
    assert list(weakened(before, made)) == []
    assert list(weakened(None, made)) == []


async def test_a_rule_that_no_longer_asks_is_called_weaker(desk: RegistryDesk) -> None:
    await deployed(desk, PURGE, document={**NAMED, "approvals": [{"class": "approve", "when": "x == 1"}, "odd"]})
    entry = await desk.catalogue.entry("clock")
    assert entry is not None
    await change_entry("clock", {**entry.document, "approvals": []}, entry.lock, BOB, desk)
    made = await publish_version("clock", manifest_of(PURGE), BOB, desk)
    assert list(weakened(await version_of("clock", "1", desk), made)) == [
        'approvals: no longer asks class: "approve", when: "x == 1"'
    ]
