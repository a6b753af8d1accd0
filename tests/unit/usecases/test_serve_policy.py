"""The registry's end of a policy change: always fresh, never empty, and an end of the program holds nobody up."""

import asyncio

import pytest

from pierhead.core.errors import Misconfigured
from pierhead.core.snapshot import Fresh
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


async def test_the_registry_never_doubts_its_own_policy() -> None:
    assert ServedPolicy().age() == Fresh()


async def test_nothing_is_signed_before_a_policy_was_published() -> None:
    with pytest.raises(Misconfigured, match="no policy was published yet"):
        ServedPolicy().payload(7.0)
    with pytest.raises(Misconfigured, match="no policy was published yet"):
        ServedPolicy().payload_for("lunch", 7.0)


async def test_who_follows_the_catalogue_hears_of_the_next_change_and_of_none_that_they_saw() -> None:
    policy = ServedPolicy()
    waiting = asyncio.create_task(policy.entries_after(policy.entries, 60))
    await asyncio.sleep(0)
    assert not waiting.done()
    policy.note_entries()
    async with asyncio.timeout(5):
        await waiting
        await policy.entries_after(0, 60)
    assert policy.entries == 1
    await policy.entries_after(1, 0.001)


async def test_a_stopping_registry_lets_go_of_who_follows_the_catalogue() -> None:
    policy = ServedPolicy()
    waiting = asyncio.create_task(policy.entries_after(0, 60))
    await asyncio.sleep(0)
    policy.let_go()
    async with asyncio.timeout(5):
        await waiting
        await policy.entries_after(0, 60)
