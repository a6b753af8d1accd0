"""What vouches for a version: digests, pinned program, bill of materials, signature, and the last look at it."""

from dataclasses import replace

import pytest
from tests.packets import SBOM, Signer
from tests.unit.registry_in_memory import GUEST, OWN, TOOLS, Kept, desk_in_memory, manifest_of, somebody

from pierhead.adapters.packet_keys import PinnedKeys
from pierhead.core.health import Condition, Health, Probe
from pierhead.core.packet import PartKind
from pierhead.usecases.integrity import Integrity, integrity_of
from pierhead.usecases.keep_packet import keep_part
from pierhead.usecases.ports_catalogue import Version
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_version import publish_version
from pierhead.usecases.register_server import register_server
from pierhead.usecases.registry_desk import RegistryDesk, version_of

pytestmark = pytest.mark.anyio
BOB = somebody("bob")


@pytest.fixture
async def desk() -> RegistryDesk:
    desk = desk_in_memory(Kept())
    await register_server("clock", GUEST, BOB, desk)
    await register_server("lunch", OWN, somebody("wanda"), desk)
    for name, person in (("clock", "bob"), ("lunch", "wanda")):
        await publish_manifest(name, manifest_of(*TOOLS), desk)
        await publish_version(name, None, somebody(person), desk)
    return desk


def looked(version: Version, name: str = "1", digest: str | None = None) -> Health:
    found = version.binding.tools_digest if digest is None else digest
    last = Probe(version.server, name, 50.0, Condition.UP, 1.0, "", found, is_as_published=True, dependencies=())
    return Health(last, Condition.UP, 1.0, 50.0, 1, ())


async def test_of_a_version_that_nobody_looked_at_only_its_digests_and_its_pin_are_known(desk: RegistryDesk) -> None:
    version = await version_of("clock", "1", desk)
    unknown = Integrity(version.binding, "mcp-clock==1.2.3", "", None, 0.0, None)
    assert await integrity_of(version, None, desk) == unknown
    assert await integrity_of(version, looked(version, "0.9"), desk) == unknown
    assert await integrity_of(version, looked(version, digest=""), desk) == unknown
    elsewhere = await version_of("lunch", "1", desk)
    assert (await integrity_of(elsewhere, None, desk)).artefact == ""


async def test_the_last_look_says_whether_it_still_shows_what_was_signed(desk: RegistryDesk) -> None:
    version = await version_of("clock", "1", desk)
    same = await integrity_of(version, looked(version), desk)
    other = await integrity_of(version, looked(version, digest="0" * 64), desk)
    assert (same.checked_at, same.is_as_signed, other.is_as_signed) == (50.0, True, False)


async def test_a_process_is_known_by_the_version_that_it_tells_of_itself(desk: RegistryDesk) -> None:
    await publish_manifest("clock", manifest_of(*TOOLS, version="guest"), desk)
    await publish_version("clock", None, BOB, desk)
    version = await version_of("clock", "guest", desk)
    renamed = replace(version, version="7", binding=replace(version.binding, version="7"))
    found = await integrity_of(renamed, looked(renamed, "guest"), desk)
    assert (found.checked_at, found.is_as_signed) == (50.0, True)


async def test_no_version_is_called_latest(desk: RegistryDesk) -> None:
    await publish_manifest("clock", manifest_of(*TOOLS[:1], version="latest"), desk)
    assert (await publish_version("clock", None, BOB, desk)).version == "1"


async def test_what_was_handed_in_vouches_for_it(desk: RegistryDesk) -> None:
    signer, version = Signer(), await version_of("clock", "1", desk)
    pinned = replace(desk, signatures=PinnedKeys.read({"build": signer.pem}))
    await keep_part("clock", "1", PartKind.SBOM, SBOM, BOB, pinned)
    await keep_part("clock", "1", PartKind.SIGNATURE, signer.envelope(version.binding.tools_digest), BOB, pinned)
    found = await integrity_of(version, None, pinned)
    assert len(found.bill) == 64
    assert found.signed is not None
    assert (found.signed.key, found.signed.over) == ("build", ("tools",))
