"""The short way: a plain tool, called in the stateless revision, without the full protocol stack.

Taken only by a request that is right in every member this file knows; anything else, also anything wrong, goes
the long way, so that errors have one source. Governance is the same function either way.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS

from pierhead.core.call import Outcome, Ran, Waiting
from pierhead.core.errors import Invalid, PierheadError, ToolTimedOut
from pierhead.core.policy import Permit
from pierhead.core.run import Run, run_in
from pierhead.sdk.governance import Admission, Governance
from pierhead.sdk.result import Answer, approval_required, failure, timed_out
from pierhead.sdk.task_told import declares
from pierhead.sdk.tasks import Begun, Tasks
from pierhead.sdk.tool import CALLER, BoundTool
from pierhead.sdk.watch import Watch
from pierhead.sdk.wire import error_body, protocol_error

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ERA: Final = "2026-07-28"
_META: Final = "io.modelcontextprotocol/"
_MEMBERS: Final = {"jsonrpc", "id", "method", "params"}
_PARAMS: Final = {"name", "arguments", "_meta"}
_JUDGED: Final = {_META + "logLevel", "progressToken"}
_NOBODY: Final = {"name": "", "version": ""}
_JSON_HEADERS: Final = (b"content-type", b"application/json")

_Answered = tuple[int, bytes]
"""HTTP status and body."""


@dataclass(frozen=True, slots=True)
class _ShortCall:
    id: str | int
    tool: BoundTool
    arguments: dict[str, Any]
    client: str
    follows_tasks: bool
    run: Run


@dataclass(frozen=True, slots=True)
class Short:
    """Answers what it can, and says whether it did."""

    tools: Mapping[str, BoundTool]
    governance: Governance
    server_info: bytes
    """What `mcp` stamps on each result, as JSON."""
    tasks: Tasks

    async def answer(
        self, headers: Mapping[bytes, bytes], body: bytes, admission: Admission, receive: Receive, send: Send
    ) -> bool:
        """Answer the request if it is a plain, flawless, stateless tools/call; False leaves it to the long way."""
        if headers.get(b"mcp-protocol-version") != ERA.encode() or headers.get(b"mcp-method") != b"tools/call":
            return False
        short = self._read(headers, body, may_be_asked=admission.caller.interactive)
        if short is None or not self.governance.may_see(short.tool.name, admission.caller):
            return False
        answered = await _unless_gone(self._respond(short, admission), receive)
        if answered is None:
            return True
        status, text = answered
        length = (b"content-length", str(len(text)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [_JSON_HEADERS, length]})
        await send({"type": "http.response.body", "body": text})
        return True

    def _read(self, headers: Mapping[bytes, bytes], body: bytes, *, may_be_asked: bool) -> _ShortCall | None:
        """The call; None where this way cannot answer it. A question to whoever sent it goes the long way."""
        accept = headers.get(b"accept", b"")
        if b"application/json" not in accept or b"text/event-stream" not in accept:
            return None
        try:
            request = orjson.loads(body)
            params = request["params"]
            if not (request.keys() == _MEMBERS and params.keys() <= _PARAMS and request["jsonrpc"] == "2.0"):
                return None
            tool, meta, arguments = self.tools[params["name"]], params["_meta"], params.get("arguments", {})
            if may_be_asked and "elicitation" in meta[_META + "clientCapabilities"]:
                return None
            if not (_is_sound(meta) and isinstance(arguments, dict) and type(request["id"]) in {str, int}):
                return None
        except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError):
            return None
        ours = tool.is_plain and not tool.mirrors_headers and request["method"] == "tools/call"
        if not (ours and headers.get(b"mcp-name") == tool.name.encode()):
            return None
        return _ShortCall(
            request["id"], tool, cast("dict[str, Any]", arguments), _client(meta), declares(params), run_in(meta)
        )

    async def _respond(self, short: _ShortCall, admission: Admission) -> _Answered:
        call = self.governance.call(admission, short.tool.name, ERA, short.client, short.run)
        try:
            call, values = await self.governance.read(call, admission.caller, short.tool, short.arguments)
            body = Begun(_Body(short.tool, values))
            outcome = await self.governance.run(call, admission.caller, body)
        except (Invalid, ToolTimedOut) as failed:
            return self._complete(short.id, failure(failed))
        except PierheadError as refused:
            return _failed(short.id, protocol_error(refused))
        except MCPError as failed:
            return _failed(short.id, failed)
        if isinstance(outcome, Waiting):
            may_follow = short.follows_tasks and not body.is_begun
            task = self.tasks.offered(outcome, short.arguments, admission.caller) if may_follow else None
            if task is not None:
                return self._result(short.id, orjson.dumps(task)[1:-1])
            return self._complete(short.id, approval_required(outcome))
        return self._complete(short.id, cast("Answer", outcome.result))

    def _complete(self, request_id: str | int, answer: Answer) -> _Answered:
        """A complete result; the structured content is spliced in as it was encoded, once."""
        text = orjson.dumps(answer.encoded.decode())
        structured = b"" if answer.is_error else b'"structuredContent":%b,' % answer.encoded
        is_error = b"true" if answer.is_error else b"false"
        content = b'"content":[{"type":"text","text":%b}],%b"isError":%b,"resultType":"complete"'
        return self._result(request_id, content % (text, structured, is_error))

    def _result(self, request_id: str | int, members: bytes) -> _Answered:
        """A result of these members of JSON."""
        whole = b'{"jsonrpc":"2.0","id":%b,"result":{%b,"_meta":{"io.modelcontextprotocol/serverInfo":%b}}}'
        return 200, whole % (orjson.dumps(request_id), members, self.server_info)


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


async def _unless_gone(work: Awaitable[_Answered], receive: Receive) -> "_Answered | None":
    """Do the work; None, and the work cancelled, if the client leaves: in this revision that is its cancel."""
    watch = Watch(receive)
    watch.begin()
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.client_left:
            raise
        return None
    finally:
        watch.stop()


def _failed(request_id: str | int, error: MCPError) -> _Answered:
    """The error as `mcp` itself would send it."""
    body = {"jsonrpc": "2.0", "id": request_id, "error": error_body(error)}
    return ERROR_CODE_HTTP_STATUS.get(error.error.code, 200), orjson.dumps(body)


def _is_sound(meta: dict[str, Any]) -> bool:
    """Whether the envelope is right in what everyone sends, and holds nothing that only the long way judges."""
    info = meta.get(_META + "clientInfo", _NOBODY)
    capabilities = meta[_META + "clientCapabilities"]
    return (
        meta.get(_META + "protocolVersion") == ERA
        and type(info["name"]) is type(info["version"]) is str
        and all(type(capability) is dict for capability in capabilities.values())
        and meta.keys().isdisjoint(_JUDGED)
    )


def _client(meta: Mapping[str, Any]) -> str:
    """What the client says of itself, as `protocol.client_of` keeps it."""
    info = meta.get(_META + "clientInfo")
    return f"{info['name']} {info['version']}"[:100] if info else ""
