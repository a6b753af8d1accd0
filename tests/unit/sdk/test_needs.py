"""What a server needs is looked at again and again, and no old finding outlives the looking."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pierhead.core.errors import PierheadError, UpstreamUnreachable
from pierhead.core.health import Condition, Dependency
from pierhead.sdk.needs import LookedAt

pytestmark = pytest.mark.anyio

WELL = Dependency("queue", Condition.UP, "answers in 2 ms")


@dataclass
class Scripted:
    """Finds what it is given, then fails as it is told to."""

    found: list[Dependency | Exception]
    looks: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self) -> Sequence[Dependency]:
        self.looks += 1
        now = self.found[min(self.looks, len(self.found)) - 1]
        if self.looks >= len(self.found):
            self.over.set()
        if isinstance(now, Exception):
            raise now
        return [now]


async def after_all(*found: Dependency | Exception) -> tuple[LookedAt, "asyncio.Task[None]"]:
    needs = Scripted(list(found))
    looked = LookedAt(needs, 0.0)
    task = asyncio.create_task(looked.look_for_ever())
    await needs.over.wait()
    return looked, task


async def test_the_last_look_is_what_is_told() -> None:
    looked, task = await after_all(Dependency("queue", Condition.DOWN, "away"), WELL)
    assert looked.found == (WELL,)
    task.cancel()


async def test_a_look_that_fails_says_that_the_need_is_down() -> None:
    refused: PierheadError = UpstreamUnreachable("the queue is away", hint="")
    looked, task = await after_all(WELL, refused)
    assert looked.found == (Dependency("its needs", Condition.DOWN, "the queue is away"),)
    task.cancel()


async def test_a_look_without_end_is_ended() -> None:
    looked, task = await after_all(TimeoutError())
    assert looked.found[0].condition is Condition.DOWN
    task.cancel()


async def test_looking_that_breaks_leaves_no_old_finding_behind() -> None:
    looked, task = await after_all(WELL, ValueError("a fault of the author's"))
    with pytest.raises(ValueError, match="a fault"):
        await task
    assert looked.found[0].condition is Condition.UNKNOWN
