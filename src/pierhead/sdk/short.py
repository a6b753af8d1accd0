"""The short way: a plain tool, called in the stateless revision, without the full protocol stack.

Taken only by a request that is right in every member this file knows; anything else, also anything wrong, goes
the long way, so that errors have one source. Governance is the same function either way.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from pierhead.core.call import Outcome, Ran, Waiting
from pierhead.core.errors import Invalid, NotFound, PierheadError, ToolTimedOut
from pierhead.core.policy import Permit
from pierhead.core.wire_codes import numbers
from pierhead.sdk.governance import Admission, Governance
from pierhead.sdk.result import Answer, approval_required, failure, timed_out
from pierhead.sdk.tool import CALLER, BoundTool

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ERA: Final = "2026-07-28"
_META: Final = "io.modelcontextprotocol/"
_MEMBERS: Final = {"jsonrpc", "id", "method", "params"}
_PARAMS: Final = {"name", "arguments", "_meta"}
_JSON_HEADERS: Final = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class _ShortCall:
    id: str | int
    tool: BoundTool
    arguments: bytes
    client: str


@dataclass(frozen=True, slots=True)
class Short:
    """Answers what it can, and says whether it did."""

    tools: Mapping[str, BoundTool]
    governance: Governance
    server: str
    version: str

    async def answer(
        self, headers: Mapping[bytes, bytes], body: bytes, admission: Admission, receive: Receive, send: Send
    ) -> bool:
        """Answer the request if it is a plain, flawless, stateless tools/call; False leaves it to the long way."""
        if headers.get(b"mcp-protocol-version") != ERA.encode() or headers.get(b"mcp-method") != b"tools/call":
            return False
        short = self._read(headers, body)
        if short is None or not self.governance.may_see(short.tool.name, admission.caller):
            return False
        work = asyncio.ensure_future(self._respond(short, admission))
        status, text = await _unless_gone(work, receive)
        length = (b"content-length", str(len(text)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [_JSON_HEADERS, length]})
        await send({"type": "http.response.body", "body": text})
        return True

    def _read(self, headers: Mapping[bytes, bytes], body: bytes) -> _ShortCall | None:
        accept = headers.get(b"accept", b"")
        if b"application/json" not in accept or b"text/event-stream" not in accept:
            return None
        try:
            request = orjson.loads(body)
            params = request["params"]
            if not (request.keys() == _MEMBERS and params.keys() <= _PARAMS and request["jsonrpc"] == "2.0"):
                return None
            tool, meta, arguments = self.tools[params["name"]], params["_meta"], params.get("arguments", {})
            capabilities = meta[_META + "clientCapabilities"]
        except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError):
            return None
        plain = tool.is_plain and headers.get(b"mcp-name") == tool.name.encode() and request["method"] == "tools/call"
        sound = isinstance(arguments, dict) and isinstance(capabilities, dict) and isinstance(request["id"], str | int)
        if not (plain and sound and meta.get(_META + "protocolVersion") == ERA):
            return None
        return _ShortCall(request["id"], tool, orjson.dumps(arguments), _client(meta))

    async def _respond(self, short: _ShortCall, admission: Admission) -> tuple[int, bytes]:
        """Status and body."""
        call = self.governance.call(admission, short.tool.name, ERA, short.client)
        try:
            call, values = await self.governance.read(call, admission.caller, short.tool, short.arguments)
            outcome = await self.governance.run(call, admission.caller, _Body(short.tool, values))
        except (Invalid, ToolTimedOut) as failed:
            return self._complete(short.id, failure(failed))
        except PierheadError as refused:
            return _failed(short.id, refused)
        if isinstance(outcome, Waiting):
            return self._complete(short.id, approval_required(outcome))
        return self._complete(short.id, cast("Answer", outcome.result))

    def _complete(self, request_id: str | int, answer: Answer) -> tuple[int, bytes]:
        """A complete result; the structured content is spliced in as it was encoded, once."""
        text = orjson.dumps(answer.encoded.decode())
        structured = b"" if answer.is_error else b'"structuredContent":%b,' % answer.encoded
        info = orjson.dumps({"name": self.server, "version": self.version})
        return 200, (
            b'{"jsonrpc":"2.0","id":%b,"result":{"content":[{"type":"text","text":%b}],%b"isError":%b,'
            b'"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":%b}}}'
            % (orjson.dumps(request_id), text, structured, b"true" if answer.is_error else b"false", info)
        )


@dataclass(frozen=True, slots=True)
class _Body:
    """Upstream of the short way: the author's function, under its deadline."""

    tool: BoundTool
    values: Mapping[str, object]

    async def run(self, permit: Permit) -> Outcome:
        token = CALLER.set(permit.request.caller)
        try:
            async with asyncio.timeout(permit.request.tool.timeout_s):
                answer = await self.tool.answer(self.values)
        except TimeoutError:
            raise timed_out(permit) from None
        finally:
            CALLER.reset(token)
        return Ran(answer, succeeded=not answer.is_error, bytes_out=len(answer.encoded))


async def _unless_gone(work: "asyncio.Future[tuple[int, bytes]]", receive: Receive) -> tuple[int, bytes]:
    """Wait for the work, and cancel it if the client leaves: in this revision that is how a call is cancelled."""
    gone = asyncio.ensure_future(receive())
    try:
        done, _ = await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work not in done:
            work.cancel()
        return await work
    finally:
        gone.cancel()


def _failed(request_id: str | int, error: PierheadError) -> tuple[int, bytes]:
    code = numbers(error)
    data = {"code": error.code, "hint": error.hint}
    body = {
        "jsonrpc": "2.0",
        "id": request_id,
        "error": {"code": code.json_rpc, "message": error.message, "data": data},
    }
    return code.http if isinstance(error, NotFound) else 200, orjson.dumps(body)


def _client(meta: Mapping[str, Any]) -> str:
    info = meta.get(_META + "clientInfo")
    if not isinstance(info, dict):
        return ""
    said = cast("dict[str, object]", info)
    return f"{said.get('name', '')} {said.get('version', '')}"[:100]
