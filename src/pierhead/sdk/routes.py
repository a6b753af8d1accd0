"""A server's own HTTP routes: a second host of the same tools, through the same governed function.

A server brings `Routes`; each request they answer is at most one call of a named tool, with JSON arguments, and what
it does runs inside that call: intent recorded before, outcome after. Not here: who sent the request and what the
assertion binds (`host`), what the routes are (the server).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pierhead.core.call import Outcome, Parsed, Ran, Waiting, digest
from pierhead.core.errors import PierheadError, ToolFailed
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.core.policy import Permit
from pierhead.core.scope import ScopeMissing, step_up
from pierhead.sdk.governance import Admission, DeclaredTool, Governance
from pierhead.sdk.problem import MEDIA_TYPE, problem
from pierhead.sdk.result import timed_out
from pierhead.sdk.tool import CALLER, Arguments, as_json, taught
from pierhead.sdk.watch import Watch
from pierhead.usecases.call_tool import recording_refusals

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

ERA: Final = "rest"
_CLIENT: Final = 100
_LOG: Final = logging.getLogger(__name__)
_BASE_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, whole, from a caller whom the platform vouches for.

    `path` is as it was sent, percent-encoded; `headers` are by lower-case name, a repeated one joined by commas.
    """

    method: str
    path: bytes
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. A header named here replaces the one that every answer gets."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that was read: the tool's arguments as they are recorded, and what runs once that is permitted."""

    arguments: Mapping[str, Json]
    size: int
    body: Callable[[], Awaitable["Done"]]


@dataclass(frozen=True, slots=True)
class Done:
    """What a body made: any value, and how many bytes of it the caller gets."""

    value: object
    bytes_out: int


class Routes(Protocol):
    """What a server brings."""

    async def answer(self, request: Request, calls: "Calls") -> Reply | None:
        """Answer one request; None, if `calls.stream` said everything.

        Errors: any PierheadError, which becomes a problem document.
        """
        ...


class Stream:
    """An answer in parts, of unknown length. Its end is sent by the host, once the outcome is on record."""

    __slots__ = ("_send", "bytes_out", "headers", "is_open")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.headers: list[tuple[bytes, bytes]] = []  # besides those of whoever opens it
        self.is_open = False
        self.bytes_out = 0

    async def open(self, status: int, headers: Headers) -> None:
        """Send status and headers."""
        self.is_open = True
        await self._send(
            {"type": "http.response.start", "status": status, "headers": _with_base([*headers, *self.headers])}
        )

    async def write(self, chunk: bytes) -> None:
        """Send one part; waits while the client does not read."""
        self.bytes_out += len(chunk)
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def close(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})


@dataclass(frozen=True, slots=True)
class Calls:
    """The one call that a request may make, governed exactly as a call by MCP."""

    governance: Governance
    tools: Mapping[str, DeclaredTool]
    admission: Admission
    client: str
    stream: Stream

    @property
    def caller(self) -> Caller:
        return self.admission.caller

    def may_see(self, tool: str) -> bool:
        """Whether the tool exists for this caller."""
        return self.governance.may_see(tool, self.caller)

    def visible(self) -> frozenset[str]:
        """The tools of this caller. Errors: NotFound, Forbidden, PolicyExpired."""
        return frozenset(tool.name for tool in self.governance.visible(self.caller))

    def arguments(self, tool: str, decoded: object) -> Arguments:
        """JSON arguments as the tool itself reads them, defaults filled in. Errors: Invalid (`bad-arguments`)."""
        return self.tools[tool].parse(as_json(decoded))

    async def run(self, tool: str, prepare: Callable[[], Prepared]) -> Done | Waiting:
        """Call `tool`: `prepare` reads the request, then what it prepared runs if that is permitted.

        A tool that is hidden from the caller is refused unread, so that no fault of the request shows it.
        Errors: everything that `call_tool` raises, and what `prepare` and its body raise; each is recorded.
        """
        governance, caller = self.governance, self.caller
        call = governance.call(self.admission, tool, ERA, self.client)
        if not governance.may_see(tool, caller):
            await governance.run(call, caller, _NOTHING)
        async with recording_refusals(call, caller, governance.audit):
            prepared = prepare()
            foreseen = await governance.foresee(call, self.tools[tool], prepared.arguments, caller)
            parsed = Parsed(prepared.arguments, digest(prepared.arguments), prepared.size, foreseen)
        outcome = await governance.run(call.with_arguments(parsed), caller, _Body(prepared.body))
        return outcome if isinstance(outcome, Waiting) else _done(outcome)


def _done(outcome: Ran) -> Done:
    if isinstance(outcome.result, Done):
        return outcome.result
    raise AssertionError("unreachable")  # only `_Body` ran


@dataclass(frozen=True, slots=True)
class _Body:
    """Upstream of a route's call: what was prepared, under the deadline of its tool."""

    body: Callable[[], Awaitable[Done]] | None

    async def run(self, permit: Permit) -> Outcome:
        if self.body is None:
            raise AssertionError("a tool that is hidden was permitted")
        token = CALLER.set(permit.request.caller)
        try:
            async with asyncio.timeout(permit.request.tool.timeout_s):
                done = await self.body()
        except TimeoutError:
            raise timed_out(permit) from None
        except Exception as raised:  # noqa: BLE001 - as in `BoundTool.answer`: a body may raise anything
            raise taught(permit.request.tool.name, raised) from None
        finally:
            CALLER.reset(token)
        return Ran(done, succeeded=True, bytes_out=done.bytes_out)


_NOTHING: Final = _Body(None)


@dataclass(frozen=True, slots=True)
class Routing:
    """The host's side: one request to the routes, their answer to the client."""

    routes: Routes
    tools: Mapping[str, DeclaredTool]
    governance: Governance

    async def carry(self, request: Request, admission: Admission, receive: Receive, send: Send) -> None:
        """Answer one admitted request; a client that leaves ends the work."""
        client = request.headers.get(b"user-agent", b"").decode("latin-1")[:_CLIENT]
        stream = Stream(send)
        calls = Calls(self.governance, self.tools, admission, client, stream)
        watch = Watch(receive)
        watch.begin()
        try:
            reply = await self._answer(request, calls)
        except asyncio.CancelledError:
            if not watch.client_left:
                raise
            return
        finally:
            watch.stop()
        if reply is not None and not stream.is_open:
            await send_reply(reply, send, is_head=request.method == "HEAD")
        elif reply is None:
            await stream.close()

    async def _answer(self, request: Request, calls: Calls) -> Reply | None:
        """The routes' answer, or the problem they met.

        Once a stream is open a problem can no longer be told: `carry` then leaves it without its end, which every
        HTTP client reads as an error, so that none takes a part for the whole.
        """
        try:
            return await self.routes.answer(request, calls)
        except PierheadError as error:
            return refusal(error)
        except Exception:  # noqa: BLE001 - the top of the routes: what nobody thought of is logged and answered
            _LOG.exception("a route of %s raised an unexpected exception", self.governance.server)
            return refusal(ToolFailed("this request failed unexpectedly", hint="tell whoever supports this server"))


def refusal(error: PierheadError) -> Reply:
    """An error as the routes' clients read it."""
    status, body = problem(error)
    headers = [(b"content-type", MEDIA_TYPE)]
    if status == 401:  # noqa: PLR2004 - the one status that must say how to sign in
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, ScopeMissing):
        headers.append((b"www-authenticate", step_up(error)))
    return Reply(status, headers, body)


async def send_reply(reply: Reply, send: Send, *, is_head: bool = False) -> None:
    """Send a whole answer; to HEAD its headers alone."""
    length = (b"content-length", b"%d" % len(reply.body))
    headers = _with_base(reply.headers)
    if reply.status != 304:  # noqa: PLR2004 - without a body, and without its length
        headers.append(length)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else reply.body})


def _with_base(headers: Headers) -> list[tuple[bytes, bytes]]:
    named = {name for name, _ in headers}
    return [*headers, *(each for each in _BASE_HEADERS if each[0] not in named)]
