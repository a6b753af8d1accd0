"""Governance inside the `mcp` package: one middleware around every message, in every supported revision.

The middleware signature of `mcp` is provisional, so this is the only file that knows it. Governance itself is
plain functions (`usecases`). Not here: HTTP (`host`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import anyio
import orjson
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import SERVER_INFO_META_KEY, CallToolResult, InputRequiredResult
from mcp_types.methods import serialize_server_result
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel

from pierhead.core.call import Outcome, Ran, Waiting
from pierhead.core.errors import Invalid, PierheadError, ToolTimedOut, Unauthenticated
from pierhead.core.policy import Permit
from pierhead.core.wire_codes import numbers
from pierhead.sdk.governance import Admission, DeclaredTool, Governance
from pierhead.sdk.question import AskedInClient
from pierhead.sdk.result import Answer, approval_required, failure, timed_out
from pierhead.sdk.tool import CALLER
from pierhead.sdk.waiting import TOOLS, OwnApprovals, WaitingTool
from pierhead.usecases.ports import Upstream

#: Where the host puts the Admission of a message, in its ASGI scope.
ADMISSION: Final = "pierhead.admission"

Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Governed:
    """The middleware: asks governance before `mcp` does anything with a message."""

    governance: Governance
    tools: Mapping[str, DeclaredTool]
    server_info: Mapping[str, Any]

    async def __call__(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        admission = admission_of(ctx)
        try:
            match ctx.method:
                case "tools/call":
                    return await self._call(ctx, call_next, admission)
                case "tools/list":
                    return await self._list(ctx, call_next, admission)
                case "initialize" | "server/discover":
                    return await self._greet(ctx, call_next, admission)
                case _:
                    self.governance.reachable(admission.caller)
                    return await call_next(ctx)
        except PierheadError as refused:
            raise protocol_error(refused) from None

    async def _greet(self, ctx: Context, call_next: CallNext, admission: Admission) -> HandlerResult:
        """What `mcp` says of the server, less instructions that nobody signed: they are text to a model, too."""
        signed = self.governance.reachable(admission.caller).instructions
        result = await call_next(ctx)
        if result is None:
            return None
        told = as_dict(result)
        return told if told.get("instructions", signed) == signed else {**told, "instructions": signed}

    async def _list(self, ctx: Context, call_next: CallNext, admission: Admission) -> HandlerResult:
        """The list that `mcp` made, less what this caller may not use; its order stays. Pierhead's own come last."""
        visible = {tool.name for tool in self.governance.visible(admission.caller)}
        result = as_dict(await call_next(ctx))
        shown = [tool for tool in cast("list[dict[str, Any]]", result["tools"]) if tool["name"] in visible]
        if not result.get("nextCursor"):
            shown += [TOOLS[name].wire() for name in self.governance.waiting_tools(admission.caller)]
        return {**result, "tools": shown}

    async def _call(self, ctx: Context, call_next: CallNext, admission: Admission) -> HandlerResult:
        params = ctx.params or {}
        name, raw = params.get("name"), params.get("arguments")
        if not isinstance(name, str):
            return await call_next(ctx)  # malformed: `mcp` answers with the protocol's own error
        governance, caller, client = self.governance, admission.caller, client_of(ctx)
        call = governance.call(admission, name, ctx.protocol_version, client)
        asked = AskedInClient(governance.approvals, governance.audit, governance.clock, ctx, client)
        try:
            upstream: Upstream = _Onwards(ctx, call_next)
            tool = self.tools.get(name) or TOOLS.get(name)
            if tool is not None and governance.may_see(name, caller):
                call, values = await governance.read(call, caller, tool, {} if raw is None else raw)
                if isinstance(tool, WaitingTool):
                    upstream = OwnApprovals(governance.approvals, governance.waits, values)
            outcome = await governance.run(call, caller, upstream, asked)
        except (Invalid, ToolTimedOut) as failed:
            return self._own(ctx, tool_result(failure(failed)))
        return self._told(ctx, outcome, asked.question)

    def _told(self, ctx: Context, outcome: Outcome, question: InputRequiredResult | None) -> HandlerResult:
        match outcome:
            case Ran(result=Answer() as answer):
                return self._own(ctx, tool_result(answer))
            case Ran():
                return cast("dict[str, Any]", outcome.result)
            case Waiting():
                waits = tool_result(approval_required(outcome))
                return self._own(ctx, waits if question is None else as_dict(question))

    def _own(self, ctx: Context, told: dict[str, Any]) -> HandlerResult:
        """An answer of our own in the form of its revision, as `mcp` finishes those of its handlers."""
        version = ctx.protocol_version
        result = serialize_server_result("tools/call", version, told)
        if version in MODERN_PROTOCOL_VERSIONS:
            result["_meta"] = {SERVER_INFO_META_KEY: dict(self.server_info)}
        return result


@dataclass(frozen=True, slots=True)
class _Onwards:
    """Upstream of a call in the protocol stack: whatever `mcp` does next."""

    ctx: Context
    call_next: CallNext

    async def run(self, permit: Permit) -> Outcome:
        token = CALLER.set(permit.request.caller)
        try:
            with anyio.fail_after(permit.request.tool.timeout_s):
                result = as_dict(await self.call_next(self.ctx))
        except TimeoutError:
            raise timed_out(permit) from None
        finally:
            CALLER.reset(token)
        asks = result.get("resultType") == "input_required"
        succeeded = None if asks else not result.get("isError", False)
        return Ran(result, succeeded, _size(result))


def _size(result: Mapping[str, Any]) -> int:
    """The bytes of what a result says: its texts, pictures and sounds, not the protocol around them."""
    blocks = cast("list[dict[str, Any]]", result.get("content") or [])
    held = (block.get("resource", block) for block in blocks)
    return sum(len(str(one.get("text") or one.get("data") or one.get("blob") or "").encode()) for one in held)


def admission_of(ctx: Context) -> Admission:
    """The admission of this message. Errors: MCPError for a message that came round the host."""
    scope = getattr(ctx.request, "scope", None)
    found = scope.get(ADMISSION) if scope is not None else None
    if not isinstance(found, Admission):
        raise protocol_error(Unauthenticated("this message did not come through the gateway", hint="call the gateway"))
    return found


def protocol_error(error: PierheadError) -> MCPError:
    """`error` as JSON-RPC: its number, its message, and code and hint as data."""
    return MCPError(code=numbers(error).json_rpc, message=error.message, data={"code": error.code, "hint": error.hint})


def tool_result(answer: Answer) -> dict[str, Any]:
    """An answer as the wire form of a complete tool result."""
    text = answer.encoded.decode()
    result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": answer.is_error}
    if not answer.is_error:
        result["structuredContent"] = orjson.loads(answer.encoded)
    return as_dict(CallToolResult.model_validate(result))


def as_dict(result: HandlerResult) -> dict[str, Any]:
    """What a handler returned, in wire form."""
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return result or {}


def client_of(ctx: Context) -> str:
    """What the client says of itself, short: traced, never a ground to permit."""
    info = ctx.session.client_params.client_info if ctx.session.client_params else None
    return f"{info.name} {info.version}"[:100] if info else ""
