"""Where versions stand: the same from a catalogue in memory, and from SQLite and a real PostgreSQL."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.official_site import NEVER_DEPLOYED, NOW, RETIRED, VERSIONS, fill, version

from pierhead.adapters.db import DatabaseCatalogue, DatabaseStandings, open_database
from pierhead.core.catalog import Stage
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.ports_catalogue import Catalogue, Change
from pierhead.usecases.ports_official import CatalogueStandings, Standing, Standings

#: Opens a catalogue and what reads its standings, runs a story on both, and closes them.
Story = Callable[[Catalogue, Standings], object]


def run(url: str, story: Story) -> None:
    async def main() -> None:
        if not url:
            catalogue = MemoryCatalogue()
            await story(catalogue, CatalogueStandings(catalogue))  # type: ignore[misc]
            return
        database = await open_database(url)
        try:
            await story(DatabaseCatalogue(database), DatabaseStandings(database))  # type: ignore[misc]
        finally:
            await database.close()

    asyncio.run(main())


async def filled(catalogue: Catalogue) -> None:
    """The versions and entries of the site's tests, as a registry would have written them."""
    source = MemoryCatalogue()
    fill(source, VERSIONS)
    entries = tuple(replace(entry, lock=0) for entry in source.kept_entries.values())
    versions = tuple(replace(each, lock=0) for each in source.kept_versions.values())
    await catalogue.change(Change((), entries=entries, versions=versions, moves=(*RETIRED, *NEVER_DEPLOYED)), NOW)


def named(standings: Sequence[Standing]) -> dict[str, Standing]:
    return {f"{each.server} {each.version}": each for each in standings}


def test_what_clients_see_or_saw_stands_there_and_nothing_else(url_or_memory: str) -> None:
    async def story(catalogue: Catalogue, standings: Standings) -> None:
        await filled(catalogue)
        found = named(await standings.known())
        assert found.keys() == {
            *("time 1.2.0", "time 1.10.0", "time 2.0.0-rc.1", "time 1.0.0"),
            *("presto 1.4.0+build.7", "warehouse 1.4.0", "airflow 0.8.0", "knowledge 1.0.0"),
        }
        airflow = found["airflow 0.8.0"]
        assert (airflow.stage, airflow.message, airflow.successor) == (Stage.DEPRECATED, "slow", "pipelines")
        assert airflow.sunset_at is not None
        assert airflow.document["title"] == "Airflow"
        assert airflow.declared_at < airflow.published_at < airflow.moved_at

    run(url_or_memory, story)


def test_a_change_is_marked_and_read_and_nothing_else_is_different(url_or_memory: str) -> None:
    async def story(catalogue: Catalogue, standings: Standings) -> None:
        await filled(catalogue)
        mark, before = await standings.mark(), named(await standings.known())
        assert await standings.mark() == mark
        (kept,) = [each for each in await catalogue.versions("time") if each.version == "1.2.0"]
        await catalogue.change(Change((), versions=(replace(kept, stage=Stage.SUSPENDED, reason="why"),)), NOW)
        assert await standings.mark() != mark
        after = named(await standings.known())
        changed = {name for name in after if after[name] != before.get(name)}
        assert changed == {"time 1.2.0"}
        assert (after["time 1.2.0"].stage, after["time 1.2.0"].reason) == (Stage.SUSPENDED, "why")

    run(url_or_memory, story)


def test_a_new_version_and_another_entry_are_seen(url_or_memory: str) -> None:
    async def story(catalogue: Catalogue, standings: Standings) -> None:
        await filled(catalogue)
        marks = [await standings.mark()]
        await standings.known()
        new = replace(version(VERSIONS[0]), version="7.0.0", lock=0)
        await catalogue.change(Change((), versions=(new,)), NOW)
        marks.append(await standings.mark())
        assert "time 7.0.0" in named(await standings.known())
        entry = await catalogue.entry("time")
        assert entry is not None
        await catalogue.change(Change((), entries=(replace(entry, at=NOW),)), NOW)
        marks.append(await standings.mark())
        assert named(await standings.known())["time 7.0.0"].declared_at == NOW
        assert all(one != other for one, other in itertools.pairwise(marks))

    run(url_or_memory, story)


def test_an_empty_catalogue_has_no_standings(url_or_memory: str) -> None:
    async def story(catalogue: Catalogue, standings: Standings) -> None:
        assert not await catalogue.entries()
        assert (await standings.mark(), list(await standings.known()))[1] == []

    run(url_or_memory, story)
