"""Who is told what teams cost: who answers for the server, who sees every call, and nobody else."""

from dataclasses import replace

import pytest
from tests.unit.registry_in_memory import GUEST, RIGHTS, Kept, desk_in_memory, somebody

from pierhead.core.showback import Share, TeamCost
from pierhead.usecases.memory_records import MemoryRecords
from pierhead.usecases.ports_records import CallRow
from pierhead.usecases.register_server import register_server
from pierhead.usecases.show_back import Books, Reader, show_back

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000.0


def row(person: str, at: float = NOW, server: str = "clock", decision: str = "permit") -> CallRow:
    call = CallRow(f"{person}-{at}", at, person, server, "now", "read", "", decision, "ok", "", 1.0, 0.0)
    return replace(call, bytes_out=36, groups=("web",))


CALLS = [
    *(row(f"p{each}") for each in range(5)),
    row("p0", NOW + 1),
    row("p1", NOW - 9),
    row("p2", server="other"),
    row("p3", decision="refuse"),
]


async def told(asking: str, *teams: str, sees_all: bool = False, server: str = "clock") -> tuple[TeamCost, ...] | None:
    desk = desk_in_memory(Kept())
    await register_server("clock", GUEST, somebody("bob"), desk)
    books = Books(desk.catalogue, MemoryRecords(list(CALLS)), teams)
    return await show_back(server, NOW, Reader(somebody(asking), RIGHTS, sees_all), books)


@pytest.mark.parametrize("owner", ["bob", "wanda", "frank"])
async def test_who_answers_for_a_server_is_told(owner: str) -> None:
    assert await told(owner, "web") == (TeamCost(Share.TEAM, "web", 6, 5, 60),)


async def test_others_are_told_where_they_see_every_call() -> None:
    assert await told("alice", "web") is None
    assert await told("alice", "web", sees_all=True) == await told("bob", "web")


async def test_without_an_entry_nobody_owns_it() -> None:
    assert await told("bob", "web", server="other") is None
    assert await told("bob", "web", server="other", sees_all=True) == (TeamCost(Share.EVERYONE, "", 1, None, 10),)


async def test_without_teams_there_is_nothing_to_tell() -> None:
    assert await told("bob") is None
