"""A deprecated version ends on its day: by nobody's hand, on record, and callers read when and what comes after."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
from tests.unit.registry_in_memory import TOOLS, Kept, fleet_in_memory, manifest_of, somebody

from pierhead.core.audit import ServerMoved
from pierhead.core.catalog import Discovery, Stage, Step
from pierhead.core.errors import NotFound
from pierhead.core.snapshot import Fresh
from pierhead.usecases.advance_server import StepAsked, take_step
from pierhead.usecases.end_versions import BY, end_versions
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.ports_catalogue import Version
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.registry_desk import RegistryDesk, version_of
from pierhead.usecases.resolve import live_server

pytestmark = pytest.mark.anyio
LAST = 1_800_000_000.0  # 2027-01-15 08:00 UTC


async def ending(kept: Kept, sunset_at: float | None = LAST) -> RegistryDesk:
    """A desk whose one server is announced to end."""
    desk = await fleet_in_memory(kept)
    await publish_manifest("warehouse", manifest_of(*TOOLS), desk)
    asked = StepAsked("warehouse", "1", Step.DEPRECATE, "old", "it is slow", "lake", sunset_at)
    await take_step(asked, somebody("frank"), desk)
    return desk


def at(desk: RegistryDesk, now: float) -> None:
    cast("MemoryClock", desk.clock).seconds = now


async def test_a_version_ends_when_its_last_day_is_over_and_not_before() -> None:
    desk = await ending(kept := Kept())
    at(desk, LAST - 1)
    assert await end_versions(desk) == 0
    assert live_server("warehouse", desk.served.current(), Fresh()).notice.endswith("it ends on 2027-01-15")
    at(desk, LAST)
    assert (await end_versions(desk), await end_versions(desk)) == (1, 0)
    assert (await version_of("warehouse", "1", desk)).stage is Stage.RETIRED
    (fact,) = [each for each in kept.facts if isinstance(each, ServerMoved) and each.step == "retire"]
    assert (fact.by, fact.reason) == (BY, "it could be called until 2027-01-15 08:00 UTC, as its owner announced")


async def test_a_call_of_what_ended_reads_when_and_what_to_use_instead() -> None:
    desk = await ending(Kept())
    at(desk, LAST)
    await end_versions(desk)
    with pytest.raises(NotFound) as ended:
        live_server("warehouse", desk.served.current(), Fresh())
    assert (ended.value.code, ended.value.message, ended.value.hint) == (
        "server-ended",
        "server 'warehouse' can no longer be called: retired: it is slow; use lake instead; it ended on 2027-01-15",
        "ask data-platform in #help",
    )


async def test_a_server_that_few_knew_of_ends_as_if_it_had_never_been() -> None:
    desk = await ending(Kept())
    at(desk, LAST)
    await end_versions(desk)
    snapshot = desk.served.current()
    gated = replace(snapshot.servers["warehouse"], discovery=Discovery.GATED)
    with pytest.raises(NotFound, match="no server 'warehouse'") as hidden:
        live_server("warehouse", replace(snapshot, servers={"warehouse": gated}), Fresh())
    assert hidden.value.code == "not-found"


async def test_a_deprecation_without_a_day_never_ends_by_itself() -> None:
    desk = await ending(Kept(), None)
    at(desk, 9e9)
    assert await end_versions(desk) == 0


async def test_of_two_registries_one_ends_it_and_the_other_finds_it_moved() -> None:
    class Late(MemoryCatalogue):
        """Reads what was, as a registry does that came at the same time."""

        async def ending(self, until: float) -> Sequence[Version]:
            return [replace(each, lock=each.lock - 1) for each in await MemoryCatalogue.ending(self, until)]

    desk = await ending(Kept())
    at(desk, LAST)
    kept = cast("MemoryCatalogue", desk.catalogue)
    late = replace(desk.source, catalogue=Late(kept.kept_entries, kept.kept_versions))
    assert await end_versions(replace(desk, source=late)) == 0
    assert (await version_of("warehouse", "1", desk)).stage is Stage.DEPRECATED
