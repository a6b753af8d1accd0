"""What a process does reaches a registry that was away, the latest of it, and in order."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from pierhead.core.errors import UpstreamUnreachable
from pierhead.usecases.tell_state import LatestState

pytestmark = pytest.mark.anyio


class Registry:
    """Away for as many attempts as it is told to."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.told: list[tuple[str, str]] = []
        self.heard = asyncio.Event()

    async def take(self, state: str, reason: str) -> None:
        if self.away:
            self.away -= 1
            raise UpstreamUnreachable("away")
        self.told.append((state, reason))
        self.heard.set()


@asynccontextmanager
async def telling(registry: Registry, pauses: list[float]) -> AsyncGenerator[LatestState]:
    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    states = LatestState(registry.take, pause)
    task = asyncio.create_task(states.tell_for_ever())
    yield states
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_each_state_is_told() -> None:
    registry, pauses = Registry(), list[float]()
    async with telling(registry, pauses) as states:
        for state in ("restarting", "running"):
            await states.report(state, "why")
            await registry.heard.wait()
            registry.heard.clear()
    assert registry.told == [("restarting", "why"), ("running", "why")]
    assert pauses == []


async def test_a_registry_that_comes_back_hears_where_things_stand_now() -> None:
    registry, pauses = Registry(away=3), list[float]()
    async with telling(registry, pauses) as states:
        await states.report("restarting", "its process ended")
        await asyncio.sleep(0)
        await states.report("running", "")
        await registry.heard.wait()
    assert registry.told == [("running", "")]
    assert pauses == [0.5] * 3
