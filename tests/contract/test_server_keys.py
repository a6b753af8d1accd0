"""The keys of servers that their teams run, on every store: one a server, each kept and ended with its fact."""

import asyncio
from typing import Final

from tests.contract.conftest import Run

from pierhead.adapters.db import Database, DatabaseFacts, DatabaseServerKeys
from pierhead.core.audit_enrolment import EnrolmentEnded, ServerEnrolled
from pierhead.core.server_key import ServerKey
from pierhead.usecases.memory_keys import MemoryServerKeys
from pierhead.usecases.ports_registry import ServerKeys

FIRST: Final = ServerKey("lunch", "aaaaaaaa", "d1", 1_795_000_000.5, "bób ☕")
SECOND: Final = ServerKey("lunch", "bbbbbbbb", "d2", 1_795_000_001.0, "bob")
OTHER: Final = ServerKey("Lunch", "cccccccc", "d3", 1_795_000_002.0, "bob")


async def story(keys: ServerKeys) -> None:
    assert await keys.key("lunch") is None
    for key in (FIRST, SECOND, OTHER):
        await keys.keep_key(key, ServerEnrolled(key.server, key.id, key.made_by))
    assert await keys.key("lunch") == SECOND
    assert await keys.keys() == {"lunch": SECOND, "Lunch": OTHER}
    await keys.end_key("lunch", 1_795_000_003.0, EnrolmentEnded("lunch", SECOND.id, "bob", "leaked"))
    assert await keys.key("lunch") is None
    assert await keys.keys() == {"Lunch": OTHER}


def test_a_server_has_one_key_at_most_and_names_are_exact(run: Run) -> None:
    async def told(database: Database) -> None:
        await story(DatabaseServerKeys(database))
        kept = await DatabaseFacts(database).lines(("", 0), 10)
        assert [b"server-enrolled" in each.line for each in kept] == [True, True, True, False]
        assert b"enrolment-ended" in kept[-1].line

    run(told)


def test_the_same_in_memory() -> None:
    keys = MemoryServerKeys()
    asyncio.run(story(keys))
    assert [fact.kind for fact in keys.facts] == [*["server-enrolled"] * 3, "enrolment-ended"]
