"""A system's own HTTP API, asked within bounds: of time, bytes, tries and places.

One value for each base address. A caller's token is never passed on: `headers` says what proves this server. Whatever
goes wrong is told in the tree of `core/errors`, in the system's own words where they are short, and without secrets.
Not here: the statement protocol (`statements`), logs (`log_reading`).
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import quote

import httpx2
import orjson

from pierhead.core.errors import Conflict, Invalid, NotFound, PierheadError, ToolFailed, UpstreamUnreachable
from pierhead.core.json import Json
from pierhead.sdk.redacting import redact

Parameters = Mapping[str, str | int | Sequence[str]]
Headers = Callable[[], Awaitable[Mapping[str, str]]]
Pause = Callable[[float], Awaitable[None]]

_BUSY: Final = frozenset({429, 502, 503, 504})
_DENIED: Final = frozenset({401, 403})
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_READS: Final = frozenset({"GET", "HEAD"})
_PAUSES: Final = (0.1, 0.4, 1.0, 2.0)
_LONGEST_PAUSE: Final = 5.0
_MOST_MOVES: Final = 3
_LONGEST_WORDS: Final = 300
_WORDS: Final = ("detail", "message", "error", "title", "exception")


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    url: httpx2.URL
    body: bytes | None
    may_repeat: bool
    most_bytes: int


class Upstream:
    """One system at one address. Shapes: `url` is its base, a path included: `https://airflow.example/api/v2`.

    `title` is what people call it. `headers` is asked before each request, so that a credential may change. Units:
    `seconds` for one question with all its tries; `most_bytes` of one answer, unpacked. `may_repeat`: reads are asked
    up to `attempts` times while the system is busy or away, and writes that are marked `is_idempotent`.
    """

    def __init__(  # noqa: PLR0913 - each bounds one thing
        self,
        url: str,
        *,
        title: str,
        headers: Headers | None = None,
        seconds: float = 10,
        most_bytes: int = 8 * 2**20,
        attempts: int = 3,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._base = httpx2.URL(url.rstrip("/"))
        self._title = title
        self._headers = headers
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._attempts = max(1, attempts)
        self._pause = pause
        self._http: httpx2.AsyncClient | None = None

    async def json(
        self,
        *segments: str,
        params: Parameters | None = None,
        method: str = "GET",
        body: Json | None = None,
        is_idempotent: bool | None = None,
    ) -> Json:
        """The JSON at these segments of the path, each percent-encoded whole; None for an empty answer.

        Errors: NotFound; Conflict (`upstream-conflict`); UpstreamUnreachable; ToolFailed (`upstream-denied`,
        `upstream-refused`, `upstream-not-json`, `upstream-too-large`).
        """
        sent = None if body is None else orjson.dumps(body)
        may_repeat = method in _READS if is_idempotent is None else is_idempotent
        question = _Question(method, self._address(segments, params), sent, may_repeat, self._most_bytes)
        async with _within(self._seconds, self._title), self._answered(question, "application/json") as answer:
            whole = await self._whole(answer, question.most_bytes)
        if not whole.strip():
            return None
        try:
            return cast("Json", orjson.loads(whole))
        except orjson.JSONDecodeError:
            is_page = "a web page" if whole.lstrip()[:1] == b"<" else "something else"
            message = f"{self._title} answered {is_page} where JSON was due"
            hint = "its address in the server's entry may be that of its pages, or a sign-in stands before it"
            raise ToolFailed(message, hint=hint, code="upstream-not-json") from None

    async def text(self, *segments: str, params: Parameters | None = None, most_bytes: int | None = None) -> str:
        """The text at these segments. Errors: as `json`."""
        question = _Question("GET", self._address(segments, params), None, True, most_bytes or self._most_bytes)
        async with _within(self._seconds, self._title), self._answered(question, "text/plain") as answer:
            whole = await self._whole(answer, question.most_bytes)
            return whole.decode(answer.encoding or "utf-8", errors="replace")

    def stream(
        self, *segments: str, params: Parameters | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes at these segments as they come, unpacked. Whoever leaves the block ends the answer.

        Units: the time of this client is that to the first byte, and between two. Errors: as `json`, and
        UpstreamUnreachable in the middle.
        """
        return self._streamed(_Question("GET", self._address(segments, params), None, True, 0))

    async def close(self) -> None:
        """Give its connections back."""
        if self._http is not None:
            await self._http.aclose()

    @asynccontextmanager
    async def _streamed(self, question: _Question) -> AsyncGenerator[AsyncIterator[bytes]]:
        async with self._answered(question, "*/*") as answer:
            yield self._pieces(answer)

    async def _pieces(self, answer: httpx2.Response) -> AsyncIterator[bytes]:
        try:
            async for piece in answer.aiter_bytes():
                yield piece
        except httpx2.HTTPError as failed:
            raise self._away(failed) from None

    def _address(self, segments: Sequence[str], params: Parameters | None) -> httpx2.URL:
        if any(segment in {"", ".", ".."} for segment in segments):
            raise Invalid("an empty name, `.` or `..` names nothing here", hint="give its whole name")
        path = "/".join(quote(segment, safe="") for segment in segments)
        url = httpx2.URL(f"{self._base}/{path}" if path else str(self._base))
        return url.copy_merge_params({name: _plain(value) for name, value in params.items()}) if params else url

    @asynccontextmanager
    async def _answered(self, question: _Question, accept: str) -> AsyncGenerator[httpx2.Response]:
        """A good answer, open. Busy and silent systems are asked again, as far as that is allowed."""
        answer = await self._tried(question, accept)
        try:
            if answer.status_code >= HTTPStatus.BAD_REQUEST or answer.status_code in _MOVED:
                raise await self._refused(answer)
            yield answer
        finally:
            await answer.aclose()

    async def _tried(self, question: _Question, accept: str) -> httpx2.Response:
        for attempt in range(1, self._attempts + 1):
            is_last = attempt == self._attempts or not question.may_repeat
            try:
                answer = await self._moved(question, accept)
            except (httpx2.TransportError, ssl.SSLError) as failed:
                if is_last and not (isinstance(failed, httpx2.ConnectError) and attempt < self._attempts):
                    raise self._away(failed) from None
                await self._pause(_PAUSES[min(attempt, len(_PAUSES)) - 1])
                continue
            if answer.status_code not in _BUSY or is_last:
                return answer
            await answer.aclose()
            await self._pause(_asked_pause(answer, attempt))
        raise AssertionError  # pragma: no cover - the last try returns or raises

    async def _moved(self, question: _Question, accept: str) -> httpx2.Response:
        """The answer, after redirects inside this system: a proof goes to no other place."""
        client = self._client()
        headers = {"Accept": accept, **(await self._headers() if self._headers else {})}
        if question.body is not None:
            headers["Content-Type"] = "application/json"
        url = question.url
        for _ in range(_MOST_MOVES):
            request = client.build_request(question.method, url, headers=headers, content=question.body)
            answer = await client.send(request, stream=True)
            target = answer.headers.get("location", "")
            if answer.status_code not in _MOVED or question.method not in _READS or not target:
                return answer
            there = url.join(target)
            if _origin(there) != _origin(self._base):
                return answer
            await answer.aclose()
            url = there
        raise ToolFailed(f"{self._title} sends in circles", hint="tell the server's owner", code="upstream-refused")

    async def _whole(self, answer: httpx2.Response, most_bytes: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in self._pieces(answer):
            size += len(part)
            if size > most_bytes:
                message = f"{self._title} answered more than {most_bytes // 1024} KiB"
                raise ToolFailed(message, hint="ask for less: a narrower filter", code="upstream-too-large")
            parts.append(part)
        return b"".join(parts)

    async def _refused(self, answer: httpx2.Response) -> PierheadError:
        status = answer.status_code
        if status in _MOVED:
            message = f"{self._title} sends to another place, which is not asked: it wants a sign-in, or it moved"
            return ToolFailed(message, hint="tell the server's owner", code="upstream-denied")
        words = await self._words(answer)
        if status == HTTPStatus.NOT_FOUND:
            return NotFound(f"{self._title} knows no such thing{words}", hint="check its name")
        if status == HTTPStatus.CONFLICT:
            message = f"{self._title} has it in another state{words}"
            return Conflict(message, hint="look at it again", code="upstream-conflict")
        if status in _DENIED:
            message = f"{self._title} does not let this server do that ({status}){words}"
            return ToolFailed(message, hint="tell the server's owner", code="upstream-denied")
        if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            hint = "try again later, or tell the server's owner"
            return UpstreamUnreachable(f"{self._title} answered {status}{words}", hint=hint)
        return ToolFailed(f"{self._title} refused ({status}){words}", hint="see its words", code="upstream-refused")

    async def _words(self, answer: httpx2.Response) -> str:
        """What the system said, short and without secrets; nothing of a web page."""
        said = b""
        try:
            async for piece in answer.aiter_bytes():
                said += piece
                if len(said) > 2**16:
                    break
        except httpx2.HTTPError:
            return ""
        text = redact(_said(said))
        return f": {text[:_LONGEST_WORDS]}" if text else ""

    def _away(self, failed: Exception) -> UpstreamUnreachable:
        how = "does not answer in time" if isinstance(failed, httpx2.TimeoutException) else "cannot be reached"
        return UpstreamUnreachable(f"{self._title} {how}", hint="try again later, or tell the server's owner")

    def _client(self) -> httpx2.AsyncClient:
        """Opened on first use: a server is built before its loop runs."""
        if self._http is None:
            self._http = httpx2.AsyncClient(
                verify=_trusted(),
                timeout=httpx2.Timeout(self._seconds),
                limits=httpx2.Limits(max_connections=20, max_keepalive_connections=5),
                follow_redirects=False,
                trust_env=False,
            )
        return self._http


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities of this machine: reading them takes 10 ms, and all clients of a process trust the same."""
    return ssl.create_default_context()


@asynccontextmanager
async def _within(seconds: float, title: str) -> AsyncGenerator[None]:
    """The block ends within `seconds`. Errors: UpstreamUnreachable."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        hint = "try again later, or ask for less"
        raise UpstreamUnreachable(f"{title} does not answer within {seconds:g} s", hint=hint) from None


def _plain(value: str | int | Sequence[str]) -> str | int | list[str]:
    return value if isinstance(value, str | int) else list(value)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _asked_pause(answer: httpx2.Response, attempt: int) -> float:
    asked = answer.headers.get("retry-after", "")
    ours = _PAUSES[min(attempt, len(_PAUSES)) - 1]
    return min(_LONGEST_PAUSE, float(asked)) if asked.isdigit() else ours


def _said(body: bytes) -> str:
    if body.lstrip()[:1] == b"<":
        return ""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        told = body.decode(errors="replace")
    if isinstance(told, dict):
        found = cast("dict[str, object]", told)
        told = next((found[name] for name in _WORDS if found.get(name)), found)
    text = told if isinstance(told, str) else orjson.dumps(told).decode()
    return " ".join(text.split())
