"""Publishing a manifest and reporting a process: what is taken in, what follows from it, what is refused."""

from dataclasses import replace

import pytest
from tests.unit.registry_in_memory import MANIFEST, TOOLS, Declared, Kept

from pierhead.core.audit import PolicyPublished, ServerPublished, ServerStateChanged
from pierhead.core.errors import Invalid, NotFound
from pierhead.core.rule import parse_who
from pierhead.usecases.advance_server import (
    STATES,
    Registration,
    StateChange,
    publish_manifest,
    report_state,
    tools_digest,
)
from pierhead.usecases.memory import MemoryClock

pytestmark = pytest.mark.anyio

FLEET = {"warehouse": Declared()}


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def registration(kept: Kept) -> Registration:
    return Registration(FLEET, kept, kept, MemoryClock(1000))


async def test_a_manifest_is_kept_with_its_fact_and_its_policy_is_put_in_force(
    kept: Kept, registration: Registration
) -> None:
    revision = await publish_manifest("warehouse", MANIFEST, registration)
    published, policy = kept.facts
    assert kept.manifests == {"warehouse": MANIFEST}
    assert published == ServerPublished("warehouse", "1", "deployed", tools_digest(MANIFEST), "server-warehouse")
    assert policy == PolicyPublished(revision.number, revision.digest, "server-warehouse")


async def test_the_same_manifest_again_changes_and_records_nothing(kept: Kept, registration: Registration) -> None:
    first = await publish_manifest("warehouse", MANIFEST, registration)
    before = list(kept.facts)
    assert await publish_manifest("warehouse", MANIFEST, registration) == first
    assert kept.facts == before


async def test_a_changed_tool_is_another_manifest_and_another_revision(kept: Kept, registration: Registration) -> None:
    first = await publish_manifest("warehouse", MANIFEST, registration)
    wider = replace(MANIFEST, tools=(replace(TOOLS[0], policy=parse_who("everyone")), *TOOLS[1:]))
    second = await publish_manifest("warehouse", wider, registration)
    assert (second.number, kept.manifests["warehouse"]) == (first.number + 1, wider)
    digests = [fact.tools_digest for fact in kept.facts if isinstance(fact, ServerPublished)]
    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    "upstream",
    ["", "127.0.0.1:1/mcp", "file:///etc/passwd", "http://127.0.0.1:1/mcp?to=else", "http://a@b/mcp", "unix:/run/x"],
)
async def test_a_server_that_publishes_no_plain_address_is_refused(
    kept: Kept, registration: Registration, upstream: str
) -> None:
    with pytest.raises(Invalid, match="warehouse publishes no http address"):
        await publish_manifest("warehouse", replace(MANIFEST, upstream=upstream), registration)
    assert (kept.manifests, kept.facts) == ({}, [])


async def test_a_narrowing_that_fits_no_tool_keeps_the_manifest_out(kept: Kept, registration: Registration) -> None:
    with pytest.raises(Invalid) as refused:
        await publish_manifest("warehouse", replace(MANIFEST, tools=TOOLS[:1]), registration)
    assert (refused.value.code, kept.manifests) == ("unknown-narrowing", {})


async def test_a_server_that_the_fleet_does_not_declare_neither_publishes_nor_reports(
    kept: Kept, registration: Registration
) -> None:
    with pytest.raises(NotFound, match="the fleet declares no server 'other'"):
        await publish_manifest("other", MANIFEST, registration)
    with pytest.raises(NotFound, match="the fleet declares no server 'other'"):
        await report_state(StateChange("other", "running", ""), FLEET, kept, MemoryClock())
    assert kept.facts == []


@pytest.mark.parametrize("state", STATES)
async def test_every_state_of_a_process_is_kept_with_its_fact(kept: Kept, state: str) -> None:
    await report_state(StateChange("warehouse", state, "why"), FLEET, kept, MemoryClock(7))
    assert kept.states == {"warehouse": (state, "why", 7)}
    assert kept.facts == [ServerStateChanged("warehouse", state, "why")]


async def test_a_state_that_is_none_is_refused_with_those_there_are(kept: Kept) -> None:
    with pytest.raises(Invalid, match="no such state: 'dancing'") as refused:
        await report_state(StateChange("warehouse", "dancing", ""), FLEET, kept, MemoryClock())
    assert refused.value.hint == "one of starting, running, restarting, failed, stopped"
    assert kept.facts == []


def test_the_digest_of_the_tools_heeds_their_content_and_not_their_order() -> None:
    turned = replace(MANIFEST, tools=tuple(reversed(TOOLS)))
    assert tools_digest(turned) == tools_digest(MANIFEST)
    assert tools_digest(replace(MANIFEST, tools=TOOLS[:2])) != tools_digest(MANIFEST)
