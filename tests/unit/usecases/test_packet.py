"""A packet handed in: by whom, until when, bound to what; whether its signature holds; and what it spares reviewers."""

from dataclasses import replace

import pytest
from tests.packets import FAILING, PASSING, SBOM, SCAN, Signer
from tests.unit.registry_in_memory import GUEST, OWN, TOOLS, Kept, desk_in_memory, manifest_of, somebody

from pierhead.adapters.packet_keys import PinnedKeys
from pierhead.core.audit_reviews import PacketPartKept, ReviewDecided, ReviewOpened
from pierhead.core.catalog import Effect, Stage, Step, Tool
from pierhead.core.errors import Conflict, Forbidden, Invalid, NotFound
from pierhead.core.packet import PartKind, Report, packet_digest
from pierhead.core.review import Gate, Verdict
from pierhead.usecases.advance_server import StepAsked, take_step
from pierhead.usecases.check_guest import GuestRules, parse_artefact
from pierhead.usecases.keep_packet import keep_part
from pierhead.usecases.ports_catalogue import Version
from pierhead.usecases.ports_review import NO_KEYS
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_version import publish_version
from pierhead.usecases.read_packet import packet_of, part_of
from pierhead.usecases.register_server import change_entry, register_server
from pierhead.usecases.registry_desk import RegistryDesk, entry_of, version_of
from pierhead.usecases.sign_off import GateDecision, decide_gate

pytestmark = pytest.mark.anyio
BOB = somebody("bob")
READ = TOOLS[0]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
async def desk(kept: Kept) -> RegistryDesk:
    desk = desk_in_memory(kept)
    await register_server("clock", GUEST, BOB, desk)
    await publish_manifest("clock", manifest_of(READ), desk)
    await publish_version("clock", None, BOB, desk)
    return desk


async def keep(desk: RegistryDesk, kind: PartKind, content: bytes, version: str = "1", person: str = "bob") -> None:
    await keep_part("clock", version, kind, content, somebody(person), desk)


async def submitted(desk: RegistryDesk, version: str = "1") -> Version:
    return await take_step(StepAsked("clock", version, Step.SUBMIT, "please"), BOB, desk)


async def deployed(desk: RegistryDesk, version: str = "1") -> Version:
    """Signed by everyone who is asked, and given to clients."""
    made = await submitted(desk, version)
    for review in await desk.catalogue.open_reviews():
        for gate, person in ((Gate.SECURITY, "carol"), (Gate.LEGAL, "dave"), (Gate.GENAI, "erin")):
            if gate in review.required:
                await decide_gate(review.id, GateDecision(gate, Verdict.APPROVE, "read it"), somebody(person), desk)
    return await take_step(StepAsked("clock", made.version, Step.DEPLOY, "go"), BOB, desk)


async def test_a_part_is_read_kept_whole_and_told(kept: Kept, desk: RegistryDesk) -> None:
    await keep(desk, PartKind.TESTS, PASSING)
    await keep(desk, PartKind.SBOM, SBOM)
    version = await version_of("clock", "1", desk)
    packet = await packet_of(version, desk)

    assert [part.kind for part in packet.parts] == [PartKind.SBOM, PartKind.TESTS]
    tests = packet.part(PartKind.TESTS)
    assert tests is not None
    assert (tests.told, tests.by, tests.size) == (Report(3, 0, 1), "bob", len(PASSING))
    assert (packet.part(PartKind.SCAN), packet.signed) == (None, None)
    assert await part_of(version, PartKind.TESTS, desk) == PASSING
    told = [fact for fact in kept.facts if isinstance(fact, PacketPartKept)]
    assert [(fact.part, fact.size, fact.by) for fact in told] == [
        ("tests", len(PASSING), "bob"),
        ("sbom", len(SBOM), "bob"),
    ]
    assert told[0].digest == tests.digest


async def test_a_part_takes_the_place_of_the_one_before(desk: RegistryDesk) -> None:
    await keep(desk, PartKind.TESTS, FAILING)
    await keep(desk, PartKind.TESTS, PASSING)
    packet = await packet_of(await version_of("clock", "1", desk), desk)
    assert [part.told for part in packet.parts] == [Report(3, 0, 1)]


async def test_only_its_owner_hands_in_and_only_what_can_be_read(desk: RegistryDesk) -> None:
    with pytest.raises(Forbidden) as refused:
        await keep(desk, PartKind.TESTS, PASSING, person="carol")
    assert refused.value.code == "not-yours"
    with pytest.raises(Invalid) as unreadable:
        await keep(desk, PartKind.SBOM, b"{}")
    assert unreadable.value.code == "unreadable-part"
    assert (await packet_of(await version_of("clock", "1", desk), desk)).parts == ()


async def test_what_reviewers_have_before_them_does_not_change(kept: Kept, desk: RegistryDesk) -> None:
    await keep(desk, PartKind.SCAN, SCAN)
    await submitted(desk)
    with pytest.raises(Conflict) as closed:
        await keep(desk, PartKind.TESTS, PASSING)
    assert closed.value.code == "packet-closed"
    (review,) = await desk.catalogue.open_reviews()
    packet = await packet_of(await version_of("clock", "1", desk), desk)
    assert review.packet_digest == packet_digest(packet.parts) != ""
    (opened,) = (fact for fact in kept.facts if isinstance(fact, ReviewOpened))
    assert opened.packet_digest == review.packet_digest

    await take_step(StepAsked("clock", "1", Step.WITHDRAW, "one more"), BOB, desk)
    await keep(desk, PartKind.TESTS, PASSING)


async def test_who_submits_while_a_part_is_handed_in_meets_a_conflict(desk: RegistryDesk) -> None:
    stale = await version_of("clock", "1", desk)
    await submitted(desk)

    class Late:
        """Sees the version as it was before somebody submitted it."""

        def __getattr__(self, name: str) -> object:
            return getattr(desk.catalogue, name)

        async def versions(self, server: str) -> list[Version]:
            return [stale]

    late = replace(desk, source=replace(desk.source, catalogue=Late()))  # type: ignore[arg-type]
    with pytest.raises(Conflict) as lost:
        await keep(late, PartKind.TESTS, PASSING)
    assert lost.value.code == "changed-meanwhile"
    assert (await packet_of(stale, desk)).parts == ()


async def test_other_definitions_have_another_packet(desk: RegistryDesk) -> None:
    await keep(desk, PartKind.TESTS, PASSING)
    await publish_manifest("clock", manifest_of(READ, TOOLS[2]), desk)
    other = await publish_version("clock", None, BOB, desk)
    assert other.version == "1"  # it takes the place of the one that nobody signed
    assert (await packet_of(other, desk)).parts == ()
    with pytest.raises(NotFound) as missing:
        await part_of(other, PartKind.TESTS, desk)
    assert "--tests FILE" in missing.value.hint


@pytest.mark.parametrize("p256", [False, True])
@pytest.mark.parametrize("what", ["tools", "entry"])
async def test_a_signature_by_a_pinned_key_over_what_the_version_is_bound_to_is_verified(
    desk: RegistryDesk, *, p256: bool, what: str
) -> None:
    signer, bound = Signer(p256=p256), (await version_of("clock", "1", desk)).binding
    digest = bound.tools_digest if what == "tools" else bound.manifest_digest
    await keep(desk, PartKind.SIGNATURE, signer.envelope(digest))
    pinned = replace(desk, signatures=PinnedKeys.read({"other": Signer().pem, "web": signer.pem}))
    signed = (await packet_of(await version_of("clock", "1", desk), pinned)).signed
    assert signed is not None
    assert (signed.key, signed.over, signed.is_verified) == ("web", (what,), True)


async def test_a_signature_that_does_not_hold_says_why(desk: RegistryDesk) -> None:
    signer, version = Signer(), await version_of("clock", "1", desk)
    await keep(desk, PartKind.SIGNATURE, signer.envelope(version.binding.tools_digest))

    async def why(desk: RegistryDesk) -> str:
        signed = (await packet_of(version, desk)).signed
        assert signed is not None
        assert signed.is_verified is not bool(signed.why_not)
        return signed.why_not

    mine = replace(desk, signatures=PinnedKeys.read({"web": signer.pem}))
    assert await why(desk) == "no key is pinned here"
    assert NO_KEYS.signer(b"message", (b"signature",)) == ""
    assert await why(replace(desk, signatures=PinnedKeys.read({"other": Signer().pem}))) == "no pinned key made it"
    assert await why(mine) == ""
    await keep(desk, PartKind.SIGNATURE, signer.envelope("0" * 64))
    assert await why(mine) == "it is over something else than this version"


@pytest.mark.parametrize(
    ("command", "over"), [(["/opt/clock", "--utc"], ("program",)), (["/opt/other"], ()), (["mcp-clock"], ())]
)
async def test_a_signature_may_be_over_the_file_that_an_administrator_pinned(
    desk: RegistryDesk, command: list[str], over: tuple[str, ...]
) -> None:
    signer, digest = Signer(), "a" * 64
    rules = GuestRules(
        (parse_artefact(f"/opt/clock@sha256:{digest} *"), parse_artefact("mcp-clock==1.2.3 *")), frozenset()
    )
    there = replace(desk, rights=replace(desk.rights, guests=rules), signatures=PinnedKeys.read({"web": signer.pem}))
    entry = await entry_of("clock", there)
    if command[0] != "/opt/other":
        await change_entry("clock", {**GUEST, "command": command}, entry.lock, BOB, there)
        await publish_version("clock", None, BOB, there)
    await keep(there, PartKind.SIGNATURE, signer.envelope(digest))
    signed = (await packet_of(await version_of("clock", "1", there), there)).signed
    assert signed is not None
    assert (signed.over, signed.is_verified) == (over, bool(over))


async def test_a_server_without_a_command_has_no_program_to_sign(kept: Kept) -> None:
    desk, signer = desk_in_memory(Kept()), Signer()
    await register_server("lunch", OWN, BOB, desk)
    await publish_manifest("lunch", manifest_of(READ), desk)
    version = await publish_version("lunch", None, BOB, desk)
    await keep_part("lunch", "1", PartKind.SIGNATURE, signer.envelope(version.binding.tools_digest), BOB, desk)
    signed = (await packet_of(await version_of("lunch", "1", desk), desk)).signed
    assert signed is not None
    assert signed.over == ("tools",)


async def test_a_decision_keeps_what_proved_its_reviewer(kept: Kept, desk: RegistryDesk) -> None:
    await submitted(desk)
    (review,) = await desk.catalogue.open_reviews()
    decision = GateDecision(Gate.SECURITY, Verdict.APPROVE, "read it", auth="sign-in 12 s old")
    decided = await decide_gate(review.id, decision, somebody("carol"), desk)
    assert [made.auth for made in decided.sign_offs] == ["sign-in 12 s old"]
    (fact,) = (fact for fact in kept.facts if isinstance(fact, ReviewDecided))
    assert fact.auth == "sign-in 12 s old"


ADDED = replace(READ, name="added")
WRITES = replace(READ, name="writes", effect=Effect.WRITE)
S, L, G = Gate.SECURITY, Gate.LEGAL, Gate.GENAI


@pytest.mark.parametrize(
    ("tools", "entry", "gates", "if_tested"),
    [
        pytest.param((replace(READ, description="Says it."),), {}, {G}, {G}, id="description"),
        pytest.param((replace(READ, title="Read"),), {}, {G}, {G}, id="title"),
        pytest.param((READ, ADDED), {}, {G}, set(), id="minor: a tool that reads"),
        pytest.param(
            (replace(READ, input_schema={"type": "object", "properties": {"zone": {"type": "string"}}}),),
            {},
            {G},
            set(),
            id="minor: an argument that may be left out",
        ),
        pytest.param((READ,), {"runbook": "https://corp.example/clock"}, set(), set(), id="patch: a runbook"),
        pytest.param((READ,), {"support": "#elsewhere"}, set(), set(), id="patch: whom to ask"),
        pytest.param((), {}, {S}, {S}, id="major: a tool is gone"),
        pytest.param((READ, WRITES), {}, {S, G}, {S, G}, id="a new effect"),
        pytest.param((READ,), {"egress": ["api.example"]}, {S, L}, {S, L}, id="new egress"),
        pytest.param((READ,), {"data_class": "confidential"}, {S, L}, {S, L}, id="a higher data class"),
        pytest.param((READ,), {"personal_data": True}, {S, L}, {S, L}, id="data of people"),
        pytest.param((READ,), {"data_class": "public"}, {S}, {S}, id="a lower data class"),
    ],
)
async def test_each_class_of_drift_reopens_its_gates(
    desk: RegistryDesk, tools: tuple[Tool, ...], entry: dict[str, object], gates: set[Gate], if_tested: set[Gate]
) -> None:
    await deployed(desk)
    known = await entry_of("clock", desk)
    if entry:
        await change_entry("clock", {**GUEST, **entry}, known.lock, BOB, desk)  # type: ignore[dict-item]
    await publish_manifest("clock", manifest_of(*tools), desk)
    version = await publish_version("clock", None, BOB, desk)
    assert (await reopened(desk, version)) == gates
    if (await version_of("clock", version.version, desk)).stage is Stage.IN_REVIEW:
        await take_step(StepAsked("clock", version.version, Step.WITHDRAW, "with reports"), BOB, desk)
        for kind in (PartKind.TESTS, PartKind.EVALS):
            await keep(desk, kind, PASSING, version.version)
        assert (await reopened(desk, version)) == if_tested


async def reopened(desk: RegistryDesk, version: Version) -> frozenset[Gate]:
    await submitted(desk, version.version)
    return (await desk.catalogue.reviews("clock"))[-1].required  # the clock stands still: in the order of opening


async def test_a_data_class_that_rises_below_confidential_is_legals_too(desk: RegistryDesk) -> None:
    entry = await entry_of("clock", desk)
    await change_entry("clock", {**GUEST, "data_class": "public"}, entry.lock, BOB, desk)
    await publish_version("clock", None, BOB, desk)
    await deployed(desk)
    entry = await entry_of("clock", desk)
    await change_entry("clock", {**GUEST, "data_class": "internal"}, entry.lock, BOB, desk)
    version = await publish_version("clock", None, BOB, desk)
    assert await reopened(desk, version) == {S, L}


@pytest.mark.parametrize("evals", [FAILING, b""])
async def test_a_minor_change_whose_evaluations_fail_or_are_missing_goes_to_genai(
    desk: RegistryDesk, evals: bytes
) -> None:
    await deployed(desk)
    await publish_manifest("clock", manifest_of(READ, ADDED), desk)
    version = await publish_version("clock", None, BOB, desk)
    await keep(desk, PartKind.TESTS, PASSING, version.version)
    if evals:
        await keep(desk, PartKind.EVALS, evals, version.version)
    assert await reopened(desk, version) == {G}


async def test_reports_of_other_definitions_spare_nobody(desk: RegistryDesk) -> None:
    await deployed(desk)
    await publish_manifest("clock", manifest_of(READ, ADDED), desk)
    version = await publish_version("clock", None, BOB, desk)
    for kind in (PartKind.TESTS, PartKind.EVALS):
        await keep(desk, kind, PASSING, version.version)
    await publish_manifest("clock", manifest_of(READ, replace(ADDED, name="another")), desk)
    other = await publish_version("clock", None, BOB, desk)
    assert await reopened(desk, other) == {G}


async def test_a_minor_change_that_is_tested_is_approved_at_once_and_can_be_deployed(desk: RegistryDesk) -> None:
    await deployed(desk)
    await publish_manifest("clock", manifest_of(READ, ADDED), desk)
    assert desk.served.current().servers["clock"].tools["added"].withheld
    version = await publish_version("clock", None, BOB, desk)
    for kind in (PartKind.TESTS, PartKind.EVALS):
        await keep(desk, kind, PASSING, version.version)
    assert (await deployed(desk, version.version)).stage is Stage.DEPLOYED
    assert not desk.served.current().servers["clock"].tools["added"].withheld
