"""Owners hear of drift at once, of ends and expiries before they come, and of each once."""

from dataclasses import dataclass, field, replace
from typing import Final

import pytest
from tests.unit.registry_in_memory import DOCUMENT, TOOLS, Kept, fleet_in_memory, manifest_of

from pierhead.core.audit_reviews import OwnerReminded
from pierhead.core.catalog import Stage
from pierhead.core.definitions import ChangeClass
from pierhead.core.review import Binding, Gate, Review, SignOff, Verdict
from pierhead.core.usage import Minutes
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.memory_notices import MemoryNotices
from pierhead.usecases.ports_catalogue import Entry, Origin, Version
from pierhead.usecases.ports_notices import PEOPLE, Notice, Readers
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.warn_owners import DAY_S, OwnerDesk, OwnerNews, warn_owners

pytestmark = pytest.mark.anyio

NOW: Final = 1_795_000_000.0
NEWS: Final = OwnerNews("https://mcp.example")
BINDING: Final = Binding("warehouse", "1.0.0", "t", "m", "a")
ENTRY: Final = Entry("warehouse", DOCUMENT, Origin.FLEET, "fleet", 0.0, "1.0.0", 0)
VERSION: Final = Version(
    server="warehouse",
    version="1.0.0",
    stage=Stage.DEPLOYED,
    manifest=replace(manifest_of(*(replace(tool, minutes=Minutes.estimate(0)) for tool in TOOLS)), version="1.0.0"),
    binding=BINDING,
    submitted_by="alice",
    published_at=0.0,
    moved_at=0.0,
    reason="",
    message="",
    successor="",
    sunset_at=None,
    lock=0,
)
OWNER: Final = str(DOCUMENT["owner"])


def signed(ends_at: float, gate: Gate = Gate.SECURITY, verdict: Verdict = Verdict.APPROVE) -> SignOff:
    return SignOff(gate, verdict, "carol", NOW - DAY_S, "good", (), (), ends_at)


def review(*sign_offs: SignOff, days: float = 1.0) -> Review:
    return Review(
        id="r1",
        binding=BINDING,
        change=ChangeClass.FIRST,
        submitted_by="alice",
        submitted_at=NOW - days * DAY_S,
        required=frozenset({Gate.SECURITY, Gate.LEGAL}),
        due_at=(),
        sign_offs=sign_offs,
        comments=(),
        closed_at=NOW - days * DAY_S,
        lock=0,
    )


@dataclass
class World:
    version: Version = VERSION
    review: Review = field(default_factory=review)

    def __post_init__(self) -> None:
        self.catalogue = MemoryCatalogue()
        self.catalogue.kept_entries["warehouse"] = ENTRY
        self.catalogue.kept_versions["warehouse", "1.0.0"] = self.version
        self.catalogue.kept_reviews["r1"] = self.review
        self.outbox, self.clock = MemoryNotices(), MemoryClock(NOW)
        reviewers = {Gate.SECURITY: "security-reviewers"}
        self.desk = OwnerDesk(self.catalogue, self.outbox, reviewers, self.clock, NEWS)

    async def on(self, *days: float) -> list[int]:
        """How many were told on each of these days from now."""
        told: list[int] = []
        for day in days:
            self.clock.seconds = NOW + day * DAY_S
            told.append(await warn_owners(self.desk))
        return told

    @property
    def notices(self) -> list[Notice]:
        return list(self.outbox.notices.values())


async def test_an_end_is_told_a_month_a_week_and_a_day_before_and_each_once() -> None:
    ending = replace(VERSION, stage=Stage.DEPRECATED, sunset_at=NOW + 40 * DAY_S, successor="2.0.0")
    world = World(ending)
    assert await world.on(0, 9.9, 10, 10.1, 20, 33, 33, 39, 39.9, 40, 41) == [0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0]
    first = world.notices[0]
    assert (first.kind, first.channel, first.readers) == ("server.ending", PEOPLE, Readers(groups=(OWNER,)))
    assert first.content["url"] == "https://mcp.example/servers/warehouse"
    assert str(first.content["sentence"]).endswith("Use 2.0.0 instead.")
    assert world.outbox.facts == [OwnerReminded("warehouse", "1.0.0", "ending", "", (OWNER,), NOW + 40 * DAY_S)] * 3


async def test_another_day_is_another_end() -> None:
    world = World(replace(VERSION, stage=Stage.DEPRECATED, sunset_at=NOW + 5 * DAY_S))
    assert await world.on(0) == [1]
    later = replace(VERSION, stage=Stage.DEPRECATED, sunset_at=NOW + 6 * DAY_S)
    world.catalogue.kept_versions["warehouse", "1.0.0"] = later
    assert await world.on(0.1) == [1]
    assert "instead" not in str(world.notices[1].content["sentence"])


async def test_who_looks_only_in_the_last_week_is_told_once_not_twice() -> None:
    world = World(replace(VERSION, stage=Stage.DEPRECATED, sunset_at=NOW + 5 * DAY_S))
    assert await world.on(0, 1) == [1, 0]


async def test_a_signature_that_ends_is_told_to_owners_and_to_its_reviewers() -> None:
    world = World(review=review(signed(NOW + 20 * DAY_S), signed(NOW + 300 * DAY_S, Gate.LEGAL)))
    assert await world.on(0) == [1]
    assert world.notices[0].kind == "server.approval-expiring"
    assert world.notices[0].readers.groups == (OWNER, "security-reviewers")
    assert "The security signature on warehouse 1.0.0 ends on" in str(world.notices[0].content["sentence"])


async def test_a_gate_without_reviewers_of_its_own_is_the_owners_alone() -> None:
    world = World(review=review(signed(NOW + 5 * DAY_S, Gate.LEGAL)))
    await world.on(0)
    assert world.notices[0].readers.groups == (OWNER,)


@pytest.mark.parametrize(
    ("stage", "made"),
    [
        (Stage.RETIRED, signed(NOW + DAY_S)),
        (Stage.DEPLOYED, signed(NOW + DAY_S, verdict=Verdict.REJECT)),
        (Stage.DEPLOYED, signed(NOW - DAY_S)),
        (Stage.DEPLOYED, signed(NOW + 31 * DAY_S)),
    ],
)
async def test_nothing_is_told_of_what_does_not_end_soon(stage: Stage, made: SignOff) -> None:
    assert await World(replace(VERSION, stage=stage), review(made)).on(0) == [0]


async def test_nothing_is_told_of_a_version_that_nobody_signed() -> None:
    world = World(replace(VERSION, binding=replace(BINDING, tools_digest="other")), review(signed(NOW + DAY_S)))
    assert await world.on(0) == [0]


async def test_minutes_that_were_stated_long_ago_are_told_of_before_they_end() -> None:
    tools = (replace(TOOLS[0], minutes=Minutes(5, 2, 9, "")),)
    stated = NOW - 160 * DAY_S
    timed = replace(VERSION, manifest=replace(VERSION.manifest, tools=tools), published_at=stated)
    world = World(timed, review())
    assert await world.on(0, 15, 19.5, 20) == [1, 1, 1, 0]
    assert {each.kind for each in world.notices} == {"server.estimate-expiring"}
    assert await World(replace(VERSION, published_at=stated), review()).on(0) == [0]


async def test_drift_is_told_with_its_fact_and_once_a_day_for_the_same_definitions() -> None:
    kept, clock = Kept(), MemoryClock(NOW)
    desk = replace(await fleet_in_memory(kept, clock=clock), news=NEWS)
    catalogue = desk.catalogue
    assert isinstance(catalogue, MemoryCatalogue)
    signed_one = manifest_of(*TOOLS)
    other = manifest_of(*(replace(tool, description="Sends it along.") for tool in TOOLS))
    one = manifest_of(
        *(replace(tool, description=f"{tool.description}{' Now.' if tool.name == 'read' else ''}") for tool in TOOLS)
    )
    for manifest in (signed_one, other, other, signed_one, other, one):
        await publish_manifest("warehouse", manifest, desk)
    assert [fact.kind for fact in kept.facts].count("definitions-drifted") == 3
    assert [each.kind for each in catalogue.notices.values()] == ["server.drifted"] * 2
    first, second = (str(each.content["sentence"]) for each in catalogue.notices.values())
    assert f"{len(TOOLS)} tools are withheld on warehouse" in first
    assert "1 tool is withheld" in second
    assert next(iter(catalogue.notices.values())).readers == Readers(groups=(OWNER,))
    clock.seconds += DAY_S
    await publish_manifest("warehouse", other, desk)
    assert len(catalogue.notices) == 3


async def test_nothing_is_kept_where_nothing_leaves() -> None:
    desk = await fleet_in_memory(Kept())
    for text in ("One.", "Two."):
        await publish_manifest("warehouse", manifest_of(*(replace(tool, description=text) for tool in TOOLS)), desk)
    assert isinstance(desk.catalogue, MemoryCatalogue)
    assert desk.catalogue.notices == {}
