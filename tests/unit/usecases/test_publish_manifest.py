"""Publishing a manifest and reporting a process: what is taken in, what follows from it, what is refused."""

from dataclasses import replace

import pytest
from tests.unit.registry_in_memory import MANIFEST, TOOLS, Kept, fleet_in_memory

from pierhead.core.audit import ServerStateChanged
from pierhead.core.errors import Invalid, NotFound
from pierhead.core.rule import parse_who
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.report_process import STATES, StateChange, report_state

pytestmark = pytest.mark.anyio


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
async def desk(kept: Kept) -> RegistryDesk:
    return await fleet_in_memory(kept)


async def test_the_first_manifest_of_a_fleet_server_is_deployed_and_each_gate_waived(
    kept: Kept, desk: RegistryDesk
) -> None:
    revision = await publish_manifest("warehouse", MANIFEST, desk)
    assert kept.manifests == {"warehouse": MANIFEST}
    assert [fact.kind for fact in kept.facts] == [
        "entry-changed",
        "policy-published",
        "server-published",
        "server-published",
        "review-opened",
        "review-decided",
        "server-moved",
        "policy-published",
    ]
    server = desk.served.current().servers["warehouse"]
    assert (revision.number, server.version, list(server.tools)) == (2, "1", ["read", "ask", "narrow"])
    assert server.tools["narrow"].narrowed == parse_who("user:bob")


async def test_the_same_manifest_again_changes_and_records_nothing(kept: Kept, desk: RegistryDesk) -> None:
    first = await publish_manifest("warehouse", MANIFEST, desk)
    before = list(kept.facts)
    assert await publish_manifest("warehouse", MANIFEST, desk) == first
    assert kept.facts == before


@pytest.mark.parametrize(
    "upstream",
    ["", "127.0.0.1:1/mcp", "file:///etc/passwd", "http://127.0.0.1:1/mcp?to=else", "http://a@b/mcp", "unix:/run/x"],
)
async def test_a_server_that_publishes_no_plain_address_is_refused(
    kept: Kept, desk: RegistryDesk, upstream: str
) -> None:
    before = list(kept.facts)
    with pytest.raises(Invalid, match="warehouse publishes no http address"):
        await publish_manifest("warehouse", replace(MANIFEST, upstream=upstream), desk)
    assert (kept.manifests, kept.facts) == ({}, before)


async def test_a_narrowing_that_fits_no_tool_keeps_the_manifest_out(kept: Kept, desk: RegistryDesk) -> None:
    with pytest.raises(Invalid) as refused:
        await publish_manifest("warehouse", replace(MANIFEST, tools=TOOLS[:1]), desk)
    assert (refused.value.code, kept.manifests) == ("unknown-narrowing", {})


async def test_a_server_that_nobody_declared_neither_publishes_nor_reports(kept: Kept, desk: RegistryDesk) -> None:
    before = list(kept.facts)
    with pytest.raises(NotFound, match="no server 'other' is registered"):
        await publish_manifest("other", MANIFEST, desk)
    with pytest.raises(NotFound, match="no server 'other' is registered"):
        await report_state(StateChange("other", "running", ""), kept, desk)
    assert kept.facts == before


@pytest.mark.parametrize("state", STATES)
async def test_every_state_of_a_process_is_kept_with_its_fact(kept: Kept, desk: RegistryDesk, state: str) -> None:
    await report_state(StateChange("warehouse", state, "why"), kept, desk)
    assert kept.states == {"warehouse": (state, "why", desk.clock.now())}
    assert kept.facts[-1] == ServerStateChanged("warehouse", state, "why")


async def test_a_state_that_is_none_is_refused_with_those_there_are(kept: Kept, desk: RegistryDesk) -> None:
    with pytest.raises(Invalid, match="no such state: 'dancing'") as refused:
        await report_state(StateChange("warehouse", "dancing", ""), kept, desk)
    assert (refused.value.hint, kept.states) == ("one of starting, running, restarting, failed, stopped", {})
