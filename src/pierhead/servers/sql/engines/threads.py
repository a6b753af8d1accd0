"""Drivers that block, in threads: sessions kept, a statement ended from outside when its time is up.

Whoever waits is on the loop; only the driver is in a thread. A session whose work failed or was ended is closed and
not used again. Not here: what a session is (each engine).
"""

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, Protocol, TypeVar

from pierhead.sdk.governed.engine import Limits, LoginReport, Rows, Values, no_stream, took_too_long
from pierhead.sdk.governed.transactions import whole
from pierhead.sdk.sqlguard import GovernedQuery, View

_SESSIONS: Final = 8
_SECONDS_TO_END: Final = 5.0

Answer = TypeVar("Answer")


class Session(Protocol):
    def end(self) -> None:
        """End what runs, in the engine. Called from another thread than the work; harmless when nothing runs."""
        ...

    def close(self) -> None: ...


Held = TypeVar("Held", bound=Session)


class Threads(Generic[Held]):
    """At most 8 sessions; `opened` makes one, in a thread."""

    def __init__(self, opened: Callable[[], Held]) -> None:
        self._opened = opened
        self._idle: list[Held] = []
        self._places = asyncio.Semaphore(_SESSIONS)
        # One thread a session for its work, and one for ending it.
        self._threads = ThreadPoolExecutor(_SESSIONS * 2)

    async def use(self, work: Callable[[Held], Answer], seconds: float) -> Answer:
        """Errors: ToolTimedOut, and what `work` raises."""
        async with self._places:
            held = self._idle.pop() if self._idle else await whole(self._in_thread(self._opened))
            task = asyncio.ensure_future(self._in_thread(functools.partial(work, held)))
            is_clean = False
            try:
                async with asyncio.timeout(seconds):
                    answer = await asyncio.shield(task)
                is_clean = True
            except TimeoutError:
                await whole(self._end(held, task))
                raise took_too_long(seconds) from None
            except asyncio.CancelledError:
                await whole(self._end(held, task))
                raise
            finally:
                self._give_back(held, task, is_clean=is_clean)
            return answer

    async def close(self) -> None:
        while self._idle:
            await self._in_thread(self._idle.pop().close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _end(self, held: Held, task: asyncio.Future[Answer]) -> None:
        await self._in_thread(held.end)
        await asyncio.wait({task}, timeout=_SECONDS_TO_END)

    def _give_back(self, held: Held, task: asyncio.Future[Answer], *, is_clean: bool) -> None:
        if is_clean:
            self._idle.append(held)
            return
        # When the driver has let go of it, and not before: closing under a running call is undefined in most.
        task.add_done_callback(functools.partial(self._close_after, held))

    def _close_after(self, held: Held, task: asyncio.Future[Answer]) -> None:
        if not task.cancelled():
            task.exception()  # raised already, or nobody waits for it any more
        self._threads.submit(held.close)


class Answering(Session, Protocol):
    """A session that runs statements. It is closed when it fails."""

    def answer(self, sql: str, bound: Sequence[object], limits: Limits) -> Rows: ...


Asked = TypeVar("Asked", bound=Answering)


class ThreadedEngine(Generic[Asked]):
    """What engines with such drivers have alike. `login` asks what a session's login could do."""

    def __init__(self, opened: Callable[[], Asked], login: Callable[[Asked], LoginReport], ask_seconds: float) -> None:
        self._threads = Threads(opened)
        self._login = login
        self._ask_seconds = ask_seconds

    async def run(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> Rows:
        del view  # what may be read stands in the query; the login is the same for every role
        bound = query.bound(values)
        return await self._threads.use(lambda session: session.answer(query.sql, bound, limits), limits.seconds + 1)

    def stream(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> AsyncGenerator[Rows]:
        del query, view, values, limits
        return no_stream()

    async def check_login(self) -> LoginReport:
        return await self._threads.use(self._login, self._ask_seconds)

    async def close(self) -> None:
        await self._threads.close()
