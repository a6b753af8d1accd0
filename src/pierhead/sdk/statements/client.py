"""The conversation with a coordinator: post, follow, end. Bounded in time and bytes; nothing is left running.

Below: an HTTP client that somebody else opened (one coordinator, no redirects), pages.py, session.py. Not here: how
many rows are wanted; whoever reads the batches stops, and the statement ends in the engine.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx2

from pierhead.core.errors import ToolTimedOut, UpstreamUnreachable
from pierhead.sdk.statements.pages import Header, Origin, Page, ResultColumn, garbage, parse_page
from pierhead.sdk.statements.session import Flavour, Session

LARGEST_PAGE: Final = 32 * 1024 * 1024
"""Bytes of one decompressed page; a page is asked to be far smaller, and one row may be larger than asked."""

_ASKED_PAGE: Final = "1MB"
_LOST: Final = 0  # a connection that broke before the answer was whole
_BUSY: Final = frozenset({_LOST, 429, 502, 503, 504})
_NOT_TAKEN: Final = frozenset({429, 503})
_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
_ENDING_S: Final = 5.0
_STRAY_S: Final = 2.0

Pause = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class _Request:
    method: str
    url: httpx2.URL
    headers: dict[str, str]
    body: bytes = b""
    repeated_on: frozenset[int] = _BUSY


class Running:
    """One statement under way. `columns` are known from the first batch on; `query_id` from the start."""

    def __init__(self, client: "StatementClient", session: Session, deadline: float, first: Page) -> None:
        self._client = client
        self._session = session
        self._deadline = deadline
        self._page = first
        self._header: Header | None = None
        self.query_id = first.query_id
        self.bytes_read = 0

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        return self._header.columns if self._header else ()

    @property
    def next_uri(self) -> str:
        """Where the statement goes on; empty once it is over."""
        return self._page.next_uri

    async def batches(self) -> AsyncGenerator[list[list[object]]]:
        """The rows, a page at a time; the first batch may be empty and comes as soon as the columns are known.

        Errors: StatementFailed, ToolTimedOut, UpstreamUnreachable.
        """
        while True:
            page = self._page
            if page.failure is not None:
                raise page.failure
            was_unknown = self._header is None
            self._header = self._header or page.header
            if page.rows and self._header is None:
                raise garbage()
            if self._header is not None and (page.rows or was_unknown):
                yield self._header.decoded(page.rows)
            if not page.next_uri:
                return
            self._page, size = await self._client.following(page.next_uri, self._session, self._deadline)
            self.bytes_read += size


class StatementClient:
    """Of one coordinator. Shapes: `coordinator` is its address, `https://host:port`."""

    def __init__(
        self, http: httpx2.AsyncClient, coordinator: str, flavour: Flavour, *, pause: Pause = asyncio.sleep
    ) -> None:
        self._http = http
        self._address = httpx2.URL(coordinator)
        self._origin = _origin(self._address)
        self._flavour: Flavour = flavour
        self._pause = pause

    @asynccontextmanager
    async def running(self, sql: str, session: Session, *, seconds: float, is_read: bool) -> AsyncGenerator[Running]:
        """The statement, begun; whatever happens inside the block, it does not run on behind it.

        Units: `seconds` from now to the last page. `is_read`: it changes nothing, so posting it twice is harmless.
        Errors: ToolTimedOut, UpstreamUnreachable, Invalid for a user name that cannot be passed on.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        first = await self._begun(sql, session, deadline, is_read=is_read)
        statement = Running(self, session, deadline, first)
        try:
            yield statement
        finally:
            if statement.next_uri:
                await _to_the_end(self._end(statement.next_uri, session))

    async def following(self, uri: str, session: Session, deadline: float) -> tuple[Page, int]:
        """The next page, and its size."""
        url = self._checked(uri).copy_merge_params({"targetResultSize": _ASKED_PAGE})
        body = await self._sent(_Request("GET", url, session.later_headers(self._flavour)), deadline)
        return parse_page(body), len(body)

    async def _begun(self, sql: str, session: Session, deadline: float, *, is_read: bool) -> Page:
        url = self._address.join("/v1/statement")
        repeated_on = _BUSY if is_read else _NOT_TAKEN
        headers = {**session.headers(self._flavour), "Content-Type": "text/plain; charset=utf-8"}
        request = _Request("POST", url, headers, sql.encode(), repeated_on)
        posting = asyncio.ensure_future(self._sent(request, deadline))
        try:
            return parse_page(await asyncio.shield(posting))
        except asyncio.CancelledError:
            await _to_the_end(self._end_stray(posting, session))
            raise

    async def _end_stray(self, posting: asyncio.Future[bytes], session: Session) -> None:
        """Whoever asked has gone before the answer told the statement's address: wait for it a moment, then end it."""
        await asyncio.wait([posting], timeout=_STRAY_S)
        if not posting.done() or posting.exception() is not None:
            posting.cancel()
            return
        page = parse_page(posting.result())
        if page.next_uri:
            await self._end(page.next_uri, session)

    async def _end(self, uri: str, session: Session) -> None:
        """End the statement in the engine, and see that it has ended. What cannot be ended now, its own limits end."""
        deadline = asyncio.get_running_loop().time() + _ENDING_S
        try:
            request = _Request("DELETE", self._checked(uri), session.later_headers(self._flavour))
            await self._sent(request, deadline)
            while uri:  # a statement that was ended answers with its failure, or is known no more
                uri = (await self.following(uri, session, deadline))[0].next_uri
        except (UpstreamUnreachable, ToolTimedOut):
            return

    def _checked(self, uri: str) -> httpx2.URL:
        """An address of this coordinator. A login's proof goes with every request, so nowhere else."""
        try:
            url = httpx2.URL(uri)
        except httpx2.InvalidURL:
            raise garbage() from None
        if _origin(url) != self._origin or not url.path.startswith("/v1/"):
            raise garbage()
        return url

    async def _sent(self, request: _Request, deadline: float) -> bytes:
        """The body of a good answer. Busy coordinators are asked again, inside the deadline."""
        try:
            async with asyncio.timeout_at(deadline):
                for pause in _PAUSES:
                    status, body = await self._once(request)
                    if status not in request.repeated_on:
                        break
                    await self._pause(pause)
                else:
                    status, body = await self._once(request)
        except TimeoutError:
            raise ToolTimedOut("the statement ran longer than it may", hint="filter or aggregate more") from None
        return _good(status, body)

    async def _once(self, request: _Request) -> tuple[int, bytes]:
        try:
            async with self._http.stream(
                request.method, request.url, headers=request.headers, content=request.body or None
            ) as answer:
                return answer.status_code, await _whole(answer)
        except httpx2.TransportError:
            if request.method == "GET":  # a page may be asked for again: a lost connection is no lost statement
                return _LOST, b""
            raise _silent() from None


async def _whole(answer: httpx2.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > LARGEST_PAGE:
            raise UpstreamUnreachable(
                "one page of the answer is larger than 32 MiB", hint="select fewer columns", code="upstream-garbage"
            )
        parts.append(part)
    return b"".join(parts)


def _good(status: int, body: bytes) -> bytes:
    if status in (200, 204):
        return body
    if status in (401, 403):
        raise UpstreamUnreachable(
            "the coordinator does not accept this login", hint="tell the owner", code="upstream-refused-login"
        )
    if status == _LOST:
        raise _silent()
    raise UpstreamUnreachable(f"the coordinator answered {status}", hint="try again later, or tell the owner")


def _silent() -> UpstreamUnreachable:
    return UpstreamUnreachable("the coordinator does not answer", hint="try again later, or tell the owner")


def _origin(url: httpx2.URL) -> Origin:
    return url.scheme, url.host, url.port


async def _to_the_end(work: Awaitable[None]) -> None:
    """Finish `work` even when its caller is cancelled meanwhile; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
