"""The port Catalogue: in memory, on SQLite and on a real PostgreSQL, one suite and the same answers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from tests.contract.conftest import Run
from tests.unit.registry_in_memory import DOCUMENT, MANIFEST

from pierhead.adapters.db import Database, DatabaseCatalogue, DatabaseFacts, DatabaseManifests
from pierhead.core.audit import EntryChanged, ServerMoved, ServerPublished
from pierhead.core.catalog import Stage, Step
from pierhead.core.errors import Conflict
from pierhead.core.packet import Bill, Part, PartKind, Report, Scan, Statement, Told
from pierhead.core.review import Binding, ChangeClass, Comment, Gate, Review, SignOff, Verdict
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.ports_catalogue import Catalogue, Change, Entry, Move, Origin, Version

NOW = 1_795_000_000.25
Tell = Callable[[Callable[[Catalogue], Awaitable[None]]], None]
ENTRY = Entry("warehouse", DOCUMENT, Origin.REGISTERED, "bób ☕", NOW, current="", lock=0)
FACT = EntryChanged("warehouse", ("owner",), "bób ☕")
BINDING = Binding("warehouse", "1", "t" * 64, "m" * 64, "a" * 64)
VERSION = Version(
    server="warehouse",
    version="1",
    stage=Stage.REGISTERED,
    manifest=replace(MANIFEST, instructions="Read ☕ first"),
    binding=BINDING,
    submitted_by="bób ☕",
    published_at=NOW,
    moved_at=NOW,
    reason="first",
    message="",
    successor="",
    sunset_at=None,
    lock=0,
    document=DOCUMENT,
    conditions=("access: group:data-eng",),
)
REVIEW = Review(
    id="r1",
    binding=BINDING,
    change=ChangeClass.FIRST,
    submitted_by="bob",
    submitted_at=NOW,
    required=frozenset({Gate.SECURITY, Gate.GENAI}),
    due_at=((Gate.GENAI, NOW + 1), (Gate.SECURITY, NOW + 2)),
    sign_offs=(SignOff(Gate.GENAI, Verdict.APPROVE, "erin", NOW, "réad", ("a",), ("https://x",), NOW + 9, "sign-in"),),
    comments=(Comment("dave", NOW, "why? ☕"),),
    closed_at=None,
    lock=0,
    registered_by="bob",
    owner="data-platform",
    packet_digest="p" * 64,
)
MOVE = Move("warehouse", "1", Step.SUBMIT, Stage.REGISTERED, Stage.IN_REVIEW, "bob", NOW, "please")


@pytest.fixture
def tell(run: Run) -> Tell:
    """Tell a story on an empty catalogue in memory, then on one in the database."""

    def told(story: Callable[[Catalogue], Awaitable[None]]) -> None:
        async def on(database: Database) -> None:
            await story(DatabaseCatalogue(database))

        asyncio.run(_told(story, MemoryCatalogue()))
        run(on)

    return told


async def _told(story: Callable[[Catalogue], Awaitable[None]], catalogue: Catalogue) -> None:
    await story(catalogue)


def test_the_deprecated_versions_that_end_are_told_in_order(tell: Tell) -> None:
    ends = {"1": 50.0, "2": 20.0, "3": 51.0, "4": None}
    gone = replace(VERSION, version="5", stage=Stage.RETIRED, sunset_at=10.0)
    stages = [replace(VERSION, version=name, stage=Stage.DEPRECATED, sunset_at=end) for name, end in ends.items()]

    async def story(catalogue: Catalogue) -> None:
        await catalogue.change(Change((FACT,), versions=(*stages, gone)), NOW)
        assert [version.version for version in await catalogue.ending(50.0)] == ["2", "1"]

    tell(story)


def test_what_is_kept_is_what_comes_back(tell: Tell) -> None:
    async def story(catalogue: Catalogue) -> None:
        await catalogue.change(Change((FACT,), (ENTRY,), (VERSION,), (MOVE,), (REVIEW,)), NOW)
        assert await catalogue.entry("warehouse") == replace(ENTRY, lock=1)
        assert await catalogue.entries() == {"warehouse": replace(ENTRY, lock=1)}
        assert list(await catalogue.versions("warehouse")) == [replace(VERSION, lock=1)]
        assert (await catalogue.versions("warehouse"))[0].document == DOCUMENT
        assert await catalogue.all_versions() == {"warehouse": [replace(VERSION, lock=1)]}
        assert list(await catalogue.moves("warehouse")) == [MOVE]
        assert await catalogue.review("r1") == replace(REVIEW, lock=1)
        assert list(await catalogue.reviews()) == list(await catalogue.reviews("warehouse"))
        assert list(await catalogue.open_reviews()) == [replace(REVIEW, lock=1)]

    tell(story)


def test_parts_of_a_packet_come_back_each_in_place_of_the_one_before(tell: Tell) -> None:
    def part(kind: PartKind, told: Told, bound: str = "b") -> Part:
        return Part(bound, "warehouse", "1", kind, "d" * 64, 3, told, "bób ☕", NOW)

    async def story(catalogue: Catalogue) -> None:
        parts = [
            (part(PartKind.TESTS, Report(1, 1, 0)), b"\x00one"),
            (part(PartKind.SBOM, Bill("x ☕", "1.6", 2)), b"sbom"),
            (part(PartKind.SCAN, Scan("x", 1, 2, 3), bound="other"), b"scan"),
            (part(PartKind.SIGNATURE, Statement(("1" * 64, "2" * 64))), b"sig"),
        ]
        await catalogue.change(Change((FACT,), versions=(VERSION,), parts=tuple(parts)), NOW)
        again = part(PartKind.TESTS, Report(2, 0, 0))
        await catalogue.change(Change((FACT,), parts=((again, b"\xfftwo"),)), NOW)
        assert list(await catalogue.packet("b")) == [parts[1][0], parts[3][0], again]
        assert await catalogue.part("b", PartKind.TESTS) == b"\xfftwo"
        assert await catalogue.part("other", PartKind.SCAN) == b"scan"
        assert (await catalogue.part("other", PartKind.TESTS), list(await catalogue.packet("c"))) == (None, [])
        with pytest.raises(Conflict):
            await catalogue.change(Change((FACT,), versions=(VERSION,), parts=((again, b"late"),)), NOW)
        assert await catalogue.part("b", PartKind.TESTS) == b"\xfftwo"

    tell(story)


def test_what_is_not_there_is_nothing(tell: Tell) -> None:
    async def story(catalogue: Catalogue) -> None:
        assert (await catalogue.entry("x"), await catalogue.review("x")) == (None, None)
        assert (dict(await catalogue.entries()), list(await catalogue.versions("x"))) == ({}, [])
        assert (list(await catalogue.moves("x")), list(await catalogue.reviews("x"))) == ([], [])
        assert (dict(await catalogue.all_versions()), dict(await catalogue.current_versions())) == ({}, {})

    tell(story)


def test_versions_and_reviews_come_newest_first_moves_and_waiting_reviews_oldest_first(tell: Tell) -> None:
    async def story(catalogue: Catalogue) -> None:
        for number in (2, 1, 3):
            version = replace(VERSION, version=str(number), published_at=NOW + number)
            review = replace(REVIEW, id=f"r{number}", submitted_at=NOW + number)
            await catalogue.change(
                Change((FACT,), (), (version,), (replace(MOVE, reason=str(number)),), (review,)), NOW
            )
        closed = replace(REVIEW, id="r4", submitted_at=NOW, closed_at=NOW)
        await catalogue.change(Change((), reviews=(closed,)), NOW)
        assert [version.version for version in await catalogue.versions("warehouse")] == ["3", "2", "1"]
        assert [review.id for review in await catalogue.reviews()] == ["r3", "r2", "r1", "r4"]
        assert [review.id for review in await catalogue.open_reviews()] == ["r1", "r2", "r3"]
        assert [move.reason for move in await catalogue.moves("warehouse")] == ["2", "1", "3"]

    tell(story)


def test_the_current_versions_are_those_that_their_entries_name(tell: Tell) -> None:
    async def story(catalogue: Catalogue) -> None:
        versions = tuple(replace(VERSION, version=name) for name in ("1", "2"))
        other = replace(ENTRY, name="other")
        await catalogue.change(Change((FACT,), (replace(ENTRY, current="2"), other), versions), NOW)
        current = await catalogue.current_versions()
        assert {name: version.version for name, version in current.items()} == {"warehouse": "2"}

    tell(story)


@pytest.mark.parametrize("stale", [0, 1, 7])
def test_a_change_of_something_that_was_changed_meanwhile_writes_nothing_at_all(tell: Tell, stale: int) -> None:
    async def story(catalogue: Catalogue) -> None:
        await catalogue.change(Change((FACT,), (ENTRY,), (VERSION,), (), (REVIEW,)), NOW)
        await catalogue.change(Change((FACT,), (), (replace(VERSION, lock=1, reason="second"),)), NOW)
        late = replace(VERSION, lock=stale, reason="late")
        new = replace(ENTRY, name="new")
        with pytest.raises(Conflict) as refused:
            await catalogue.change(Change((FACT,), (new,), (late,), (MOVE,), (replace(REVIEW, lock=1),)), NOW)
        assert refused.value.code == "changed-meanwhile"
        assert [version.reason for version in await catalogue.versions("warehouse")] == ["second"]
        assert (await catalogue.entry("new"), list(await catalogue.moves("warehouse"))) == (None, [])
        review = await catalogue.review("r1")
        assert review is not None
        assert review.lock == 1

    tell(story)


def test_of_many_changes_at_once_each_is_written_or_refused_and_none_is_lost(tell: Tell) -> None:
    async def story(catalogue: Catalogue) -> None:
        await catalogue.change(Change((FACT,), reviews=(REVIEW,)), NOW)

        async def comment(number: int) -> int:
            for tries in range(1, 100):
                review = await catalogue.review("r1")
                assert review is not None
                said = (*review.comments, Comment("dave", NOW, str(number)))
                try:
                    await catalogue.change(Change((FACT,), reviews=(replace(review, comments=said),)), NOW)
                except Conflict:
                    continue
                return tries
            raise AssertionError(number)

        await asyncio.gather(*(comment(number) for number in range(8)))
        review = await catalogue.review("r1")
        assert review is not None
        assert sorted(said.text for said in review.comments[1:]) == [str(number) for number in range(8)]

    tell(story)


def test_the_facts_of_a_change_stand_on_the_registrys_chain_in_their_order(run: Run) -> None:
    async def story(database: Database) -> None:
        catalogue, facts = DatabaseCatalogue(database), DatabaseFacts(database)
        moved = ServerMoved("warehouse", "1", "submit", "registered", "in-review", "bob", "please")
        await catalogue.change(Change((FACT, moved), (ENTRY,)), NOW)
        with pytest.raises(Conflict):
            await catalogue.change(Change((FACT, moved), (ENTRY,)), NOW)
        lines = await facts.lines(("", 0), 10)
        assert [line.sequence for line in lines] == [1, 2]
        assert [b"entry-changed" in line.line for line in lines] == [True, False]

    run(story)


def test_one_live_manifest_is_read_without_the_others(run: Run) -> None:
    async def story(database: Database) -> None:
        manifests = DatabaseManifests(database)
        fact = ServerPublished("warehouse", "1", "deployed", "d", "server-warehouse")
        await manifests.keep("warehouse", VERSION.manifest, NOW, fact)
        assert (await manifests.one("warehouse"), await manifests.one("x")) == (VERSION.manifest, None)

    run(story)
