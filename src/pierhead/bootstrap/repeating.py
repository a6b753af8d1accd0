"""Work that a program does again and again beside what it serves, whatever fails.

Above: the parts of the registry that look, remind and deliver (`wire_people`, `wire_notices`). Not here: what the work
is.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

_QUIET_S: Final = 30.0
"""What goes wrong at every round is told once in this time."""


def beside(work: Callable[[], Awaitable[object]], every_s: float, what: str, opened: AsyncExitStack) -> None:
    """Do that again and again until `opened` closes, which waits for its end."""
    working = asyncio.create_task(for_ever(work, every_s, what))

    async def end() -> None:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    opened.push_async_callback(end)


async def for_ever(work: Callable[[], Awaitable[object]], every_s: float, what: str) -> None:
    """Do that again and again until cancelled. A round that fails is said on stderr, and the next one begins anew."""
    loop, told_at = asyncio.get_running_loop(), float("-inf")
    while True:
        one = asyncio.ensure_future(work())
        try:
            await asyncio.wait({one})
        finally:
            one.cancel()  # no effect on one that is over; another must have let go of the database before it is closed
            (failed,) = await asyncio.gather(one, return_exceptions=True)
        if isinstance(failed, BaseException) and loop.time() - told_at > _QUIET_S:
            told_at = loop.time()
            sys.stderr.write(f"{what}: {type(failed).__name__}: {failed}\n"[:500])
        await asyncio.sleep(every_s)
