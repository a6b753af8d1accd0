"""The registry's end of a policy change: an end of the program holds nobody up."""

import asyncio

import pytest

from pierhead.usecases.serve_policy import ServedPolicy

pytestmark = pytest.mark.anyio


async def test_a_stopping_registry_lets_go_of_who_waits() -> None:
    policy = ServedPolicy()
    waiting = asyncio.create_task(policy.after(0, 60))
    await asyncio.sleep(0)
    policy.let_go()
    async with asyncio.timeout(5):
        await waiting
        await policy.after(0, 60)
