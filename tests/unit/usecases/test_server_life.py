"""A server's life from its registration to its end, as the registry's use cases tell it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest
from tests.unit.registry_in_memory import GUEST, TOOLS, Kept, desk_in_memory, manifest_of, somebody

from pierhead.core.catalog import Stage, Step
from pierhead.core.errors import Conflict, Forbidden, Invalid
from pierhead.core.review import Gate, Verdict
from pierhead.usecases.advance_server import StepAsked, roll_back, take_step
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.ports_catalogue import Entry
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_version import candidate, publish_version
from pierhead.usecases.register_server import change_entry, register_server
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.sign_off import GateDecision, decide_gate

pytestmark = pytest.mark.anyio


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def desk(kept: Kept) -> RegistryDesk:
    return desk_in_memory(kept)


async def test_a_server_goes_from_registration_to_retirement_and_every_fact_is_told(
    kept: Kept, desk: RegistryDesk
) -> None:
    bob = somebody("bob")
    entry = await register_server("clock", GUEST, bob, desk)
    assert (entry.current, desk.served.current().servers) == ("", {})
    await publish_manifest("clock", manifest_of(TOOLS[0]), desk)
    assert desk.served.current().servers == {}
    version = await publish_version("clock", None, bob, desk)
    assert version.stage is Stage.REGISTERED
    await take_step(StepAsked("clock", "1", Step.SUBMIT, "please"), bob, desk)
    (review,) = await desk.catalogue.open_reviews()
    assert review.required == {Gate.SECURITY}
    await decide_gate(review.id, GateDecision(Gate.SECURITY, Verdict.APPROVE, "read it"), somebody("carol"), desk)
    deployed = await take_step(StepAsked("clock", "1", Step.DEPLOY, "go"), bob, desk)
    assert deployed.stage is Stage.DEPLOYED
    server = desk.served.current().servers["clock"]
    assert (server.stage, list(server.tools), server.is_callable) == (Stage.DEPLOYED, ["read"], True)
    await publish_manifest("clock", manifest_of(TOOLS[0], TOOLS[2]), desk)
    server = desk.served.current().servers["clock"]
    assert server.tools["narrow"].withheld == "nobody has reviewed this tool yet"
    again = await publish_version("clock", None, bob, desk)
    assert again.version == "1+2"
    await take_step(StepAsked("clock", "1+2", Step.SUBMIT, "more"), bob, desk)
    (review,) = await desk.catalogue.open_reviews()
    assert review.required == {Gate.GENAI}
    await decide_gate(review.id, GateDecision(Gate.GENAI, Verdict.APPROVE, "fine"), somebody("erin"), desk)
    await take_step(StepAsked("clock", "1+2", Step.DEPLOY, "go"), bob, desk)
    server = desk.served.current().servers["clock"]
    assert [tool.withheld for tool in server.tools.values()] == ["", ""]
    await roll_back("clock", "1", "the new one is slow", bob, desk)
    assert desk.served.current().servers["clock"].version == "1"
    await roll_back("clock", "1+2", "it is not", bob, desk)
    await take_step(
        StepAsked("clock", "1+2", Step.DEPRECATE, "old", "use the other", "clock2", 1_800_000_000.0), bob, desk
    )
    assert desk.served.current().servers["clock"].notice == (
        "deprecated: use the other; use clock2 instead; it ends on 2027-01-15"
    )
    await take_step(StepAsked("clock", "1+2", Step.RETIRE, "over"), bob, desk)
    server = desk.served.current().servers["clock"]
    assert (server.is_callable, server.tools, desk.served.current().rows) == (False, {}, {})
    kinds = [fact.kind for fact in kept.facts if fact.kind != "policy-published"]
    assert kinds == [
        "entry-changed",
        "server-published",
        "server-published",
        "server-moved",
        "server-moved",
        "review-opened",
        "review-decided",
        "server-moved",
        "server-moved",
        "server-published",
        "definitions-drifted",
        "server-published",
        "server-moved",
        "server-moved",
        "review-opened",
        "review-decided",
        "server-moved",
        "server-moved",
        "server-moved",
        "server-moved",
        "server-moved",
        "server-moved",
    ]


async def test_of_two_who_register_one_name_at_once_the_second_is_told(desk: RegistryDesk) -> None:
    class Late(MemoryCatalogue):
        """Sees nobody, as a reader that came before the other's write."""

        async def entries(self) -> Mapping[str, Entry]:
            return {}

    await register_server("clock", GUEST, somebody("bob"), desk)
    kept_entries = cast("MemoryCatalogue", desk.catalogue).kept_entries
    late = replace(desk, source=replace(desk.source, catalogue=Late(kept_entries=kept_entries)))
    with pytest.raises(Conflict) as taken:
        await register_server("clock", GUEST, somebody("alice"), late)
    assert taken.value.code == "name-taken"


async def test_a_server_whose_owner_left_is_taken_over_and_they_have_no_right_of_it_any_more(
    desk: RegistryDesk,
) -> None:
    bob, frank, wanda, alice = (somebody(name) for name in ("bob", "frank", "wanda", "alice"))
    entry = await register_server("clock", {**GUEST, "owner": "gone"}, bob, desk)
    with pytest.raises(Forbidden, match="is changed by its owner"):
        await change_entry("clock", {**GUEST, "owner": "web"}, entry.lock, wanda, desk)
    entry = await change_entry("clock", {**GUEST, "owner": "gone", "title": "Clock"}, entry.lock, frank, desk)
    assert entry.by == "bob", "another title is no other owner"
    entry = await change_entry("clock", {**GUEST, "owner": "web"}, entry.lock, frank, desk)
    for person in (bob, alice):
        with pytest.raises(Forbidden, match="is changed by its owner"):
            await change_entry("clock", {**GUEST, "title": "Mine"}, entry.lock, person, desk)
    entry = await change_entry("clock", {**GUEST, "title": "Ours"}, entry.lock, wanda, desk)
    assert (entry.by, entry.document["title"]) == ("frank", "Ours")


async def test_a_candidate_is_what_publishing_would_give_and_is_not_kept(desk: RegistryDesk) -> None:
    bob = somebody("bob")
    await register_server("clock", GUEST, bob, desk)
    with pytest.raises(Invalid, match="nobody knows the definitions"):
        await candidate("clock", bob, desk)
    await publish_manifest("clock", manifest_of(TOOLS[0]), desk)
    found = await candidate("clock", bob, desk)
    assert (found.is_new, found.version.version, found.before) == (True, "1", None)
    assert not await desk.catalogue.versions("clock")
    with pytest.raises(Forbidden):
        await candidate("clock", somebody("alice"), desk)

    published = await publish_version("clock", None, bob, desk)
    assert (await candidate("clock", bob, desk)).version == published
    await take_step(StepAsked("clock", "1", Step.SUBMIT, "please"), bob, desk)
    (review,) = await desk.catalogue.open_reviews()
    await decide_gate(review.id, GateDecision(Gate.SECURITY, Verdict.REJECT, "no"), somebody("carol"), desk)
    rejected = await candidate("clock", bob, desk)
    assert (rejected.is_new, rejected.version.stage) == (False, Stage.REJECTED)
    await take_step(StepAsked("clock", "1", Step.RETIRE, "over"), bob, desk)
    assert (await candidate("clock", bob, desk)).is_new
