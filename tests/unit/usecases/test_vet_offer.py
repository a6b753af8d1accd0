"""The company's own program before registrations and submissions: its yes, its no, and its silence, each on record."""

from dataclasses import dataclass, field, replace

import pytest
from tests.unit.registry_in_memory import GUEST, TOOLS, Kept, desk_in_memory, manifest_of, somebody

from pierhead.core.audit_reviews import OfferVetted
from pierhead.core.catalog import Stage, Step
from pierhead.core.errors import Conflict, Forbidden, UpstreamUnreachable
from pierhead.usecases.advance_server import StepAsked, take_step
from pierhead.usecases.ports_review import NOBODY, Offer, Vetted
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_version import publish_version
from pierhead.usecases.register_server import register_server
from pierhead.usecases.registry_desk import RegistryDesk, version_of

pytestmark = pytest.mark.anyio
BOB = somebody("bob")
GONE = UpstreamUnreachable("it did not answer", code="vetting-failed")


@dataclass
class Program:
    """Answers what it is told to, and keeps what it was asked."""

    says: Vetted | UpstreamUnreachable = field(default_factory=lambda: Vetted(allows=True, reason="it gave no reason"))
    asked: list[Offer] = field(default_factory=list)

    def is_asked(self) -> bool:
        return True

    async def ask(self, offer: Offer, now: float) -> Vetted:
        self.asked.append(offer)
        if isinstance(self.says, UpstreamUnreachable):
            raise self.says
        return self.says


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def desk(kept: Kept, program: Program) -> RegistryDesk:
    return desk_in_memory(kept, vetting=program)


def told(kept: Kept) -> list[tuple[str, str, str]]:
    return [(fact.event, fact.version, fact.answer) for fact in kept.facts if isinstance(fact, OfferVetted)]


async def published(desk: RegistryDesk) -> None:
    await register_server("clock", {**GUEST, "api_token": "s3cret"}, BOB, desk)
    await publish_manifest("clock", manifest_of(TOOLS[0]), desk)
    await publish_version("clock", None, BOB, desk)


async def submit(desk: RegistryDesk) -> None:
    await take_step(StepAsked("clock", "1", Step.SUBMIT, "please"), BOB, desk)


async def test_it_is_asked_about_each_and_its_yes_is_on_record_with_what_it_lets_through(
    kept: Kept, desk: RegistryDesk, program: Program
) -> None:
    await published(desk)
    await submit(desk)
    assert told(kept) == [("register", "", "allowed"), ("submit", "1", "allowed")]
    registered, submitted = program.asked
    assert (registered.event, registered.server, registered.by) == ("register", "clock", "bob")
    assert submitted.content["tools"] == ["read"]
    assert "s3cret" not in str(program.asked)
    assert registered.id != submitted.id


async def test_its_no_takes_nothing_in_and_tells_who_offered_why(
    kept: Kept, desk: RegistryDesk, program: Program
) -> None:
    program.says = Vetted(allows=False, reason="no ticket")
    with pytest.raises(Forbidden) as vetoed:
        await register_server("clock", GUEST, BOB, desk)
    assert (vetoed.value.code, vetoed.value.message) == ("vetoed", "clock is not taken: no ticket")
    assert await desk.catalogue.entries() == {}
    assert told(kept) == [("register", "", "vetoed")]


async def test_without_its_answer_nothing_is_taken_in(kept: Kept, desk: RegistryDesk, program: Program) -> None:
    await published(desk)
    program.says = GONE
    with pytest.raises(UpstreamUnreachable) as failed:
        await submit(desk)
    assert failed.value.code == "vetting-failed"
    assert (await version_of("clock", "1", desk)).stage is Stage.REGISTERED
    assert list(await desk.catalogue.open_reviews()) == []
    assert told(kept)[-1] == ("submit", "1", "failed")
    program.says = Vetted(allows=True, reason="fine")
    await submit(desk)
    assert (await version_of("clock", "1", desk)).stage is Stage.IN_REVIEW


async def test_what_is_refused_anyway_is_not_put_to_it(desk: RegistryDesk, program: Program) -> None:
    await published(desk)
    with pytest.raises(Conflict):
        await register_server("clock", GUEST, BOB, desk)
    with pytest.raises(Forbidden):
        await take_step(StepAsked("clock", "1", Step.SUBMIT, "mine"), somebody("alice"), desk)
    assert len(program.asked) == 1


async def test_where_nobody_is_set_up_nobody_is_asked_and_nothing_could_say_yes(kept: Kept, desk: RegistryDesk) -> None:
    await published(replace(desk, vetting=NOBODY))
    assert told(kept) == []
    assert not (await NOBODY.ask(Offer("i", "register", "clock", "", "bob", {}), 1.0)).allows
