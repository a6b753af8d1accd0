"""How many calls a caller and a role may make, on a clock of the test's own."""

import asyncio

import pytest

from pierhead.core.errors import LimitExceeded
from pierhead.sdk.governed.pacing import MOST_WAITING, Pace, Shares

pytestmark = pytest.mark.anyio


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def once(pace: Pace, caller: str) -> None:
    await pace.begin(caller)
    pace.end(caller)


async def test_a_rate_holds_for_each_caller_and_for_the_role() -> None:
    clock = Clock()
    pace = Pace(Shares(9, 9), Shares(2, 3), clock)
    await once(pace, "ann")
    await once(pace, "ann")
    with pytest.raises(LimitExceeded, match="you may make 2") as refused:
        await once(pace, "ann")
    assert refused.value.code == "too-many-calls"
    assert refused.value.hint == "try again in 0.5 s"
    await once(pace, "bob")
    with pytest.raises(LimitExceeded, match="your role"):
        await once(pace, "bob")
    clock.seconds += 0.5
    await once(pace, "ann")


async def test_whoever_waits_takes_the_place_that_is_given_back() -> None:
    pace = Pace(Shares(1, 2), None, Clock())
    await pace.begin("ann")
    second = asyncio.ensure_future(pace.begin("ann"))
    await asyncio.wait([second], timeout=0)
    assert not second.done()
    await once(pace, "bob")
    pace.end("ann")
    await second
    pace.end("ann")
    assert pace._role.running == 0


async def test_a_full_queue_refuses_and_a_caller_who_leaves_keeps_no_place() -> None:
    pace = Pace(Shares(1, 1), None, Clock())
    await pace.begin("ann")
    waiting = [asyncio.ensure_future(pace.begin("ann")) for _ in range(MOST_WAITING)]
    await asyncio.wait(waiting, timeout=0)
    with pytest.raises(LimitExceeded) as refused:
        await pace.begin("bob")
    assert refused.value.code == "too-many-at-once"
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)
    pace.end("ann")
    await once(pace, "bob")
    assert not pace._queue
