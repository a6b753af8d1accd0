"""The browsers in which people hear: the same in memory and on every database, each change with its facts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from tests.pushing import Pushable

from pierhead.adapters.db import DatabaseBrowsers, DatabaseFacts, open_database
from pierhead.core.browser import BrowserAdded, BrowserEnded
from pierhead.usecases.memory_push import MemoryBrowsers
from pierhead.usecases.ports_push import Browsers

NOW: Final = 1_795_000_000.0
FRANK: Final = Pushable().browser(id="brw_1", issuer="https://i.example", person="frank é", made_at=NOW)
ENDED: Final = BrowserEnded("brw_1", "frank é", "removed", "frank é")

Kinds = Callable[[], Awaitable[list[str]]]


def run(url: str, story: Callable[[Browsers, Kinds], Awaitable[None]]) -> None:
    async def main() -> None:
        if not url:
            memory = MemoryBrowsers()

            async def kept() -> list[str]:
                return [fact.kind for fact in memory.facts]

            await story(memory, kept)
            return
        database = await open_database(url)

        async def kinds() -> list[str]:
            lines = await DatabaseFacts(database).lines(("", 0), 100)
            return [line.line.split(b'"kind":"')[1].split(b'"')[0].decode() for line in lines]

        try:
            await story(DatabaseBrowsers(database), kinds)
        finally:
            await database.close()

    asyncio.run(main())


def test_a_browser_is_kept_whole_put_in_anothers_place_and_ended_once(url_or_memory: str) -> None:
    async def story(browsers: Browsers, kinds: Kinds) -> None:
        await browsers.put(FRANK, (BrowserAdded.of(FRANK),), NOW)
        assert (await browsers.one("brw_1"), await browsers.one("brw_2")) == (FRANK, None)
        gina = replace(FRANK, person="gina", secret="x", made_at=NOW + 1)
        await browsers.put(gina, (ENDED, BrowserAdded.of(gina)), NOW)
        assert await browsers.one("brw_1") == gina
        ended = await asyncio.gather(*(browsers.end("brw_1", ENDED, NOW) for _ in range(3)))
        assert sorted(ended) == [False, False, True]
        assert await browsers.one("brw_1") is None
        assert await kinds() == ["browser-added", "browser-ended", "browser-added", "browser-ended"]

    run(url_or_memory, story)


def test_those_of_people_are_found_by_issuer_and_name_in_their_order(url_or_memory: str) -> None:
    async def story(browsers: Browsers, kinds: Kinds) -> None:
        del kinds
        later = replace(FRANK, id="brw_0", made_at=NOW + 1)
        alice = replace(FRANK, id="brw_3", person="alice")
        for each in (later, FRANK, alice, replace(FRANK, id="brw_4", issuer="https://other.example")):
            await browsers.put(each, (BrowserAdded.of(each),), NOW)
        assert await browsers.of("https://i.example", ("frank é", "alice", "zed")) == [alice, FRANK, later]
        assert await browsers.of("https://i.example", ()) == []

    run(url_or_memory, story)
