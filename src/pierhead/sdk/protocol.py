"""Governance inside the `mcp` package: one middleware around every message, in every supported revision.

The middleware signature of `mcp` is provisional, so this is the only file that knows it. Governance itself is
plain functions (`usecases`). Not here: HTTP (`host`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import METHOD_NOT_FOUND, SERVER_INFO_META_KEY, InputRequiredResult
from mcp_types.methods import serialize_server_result
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from pierhead.core import waiting_tools as three
from pierhead.core.call import Outcome, Ran, Waiting
from pierhead.core.catalog import Tool
from pierhead.core.errors import Invalid, PierheadError, ToolTimedOut, Unauthenticated
from pierhead.core.policy import Permit
from pierhead.core.run import run_in
from pierhead.core.task_id import tool_in
from pierhead.sdk.governance import Admission, DeclaredTool, Governance
from pierhead.sdk.question import AskedInClient
from pierhead.sdk.result import Answer, approval_required, failure, is_widened, timed_out, widened
from pierhead.sdk.task_seal import Handle
from pierhead.sdk.task_told import EXTENSION, declares, no_such_task, undeclared
from pierhead.sdk.tasks import Begun, Poll, Tasks
from pierhead.sdk.tool import CALLER
from pierhead.sdk.waiting import TOOLS, OwnApprovals, WaitingTool
from pierhead.sdk.wire import as_dict, protocol_error, tool_result
from pierhead.usecases.call_tool import recording_refusals

#: Where the host puts the Admission of a message, in its ASGI scope.
ADMISSION: Final = "pierhead.admission"

Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Governed:
    """The middleware: asks governance before `mcp` does anything with a message."""

    governance: Governance
    tools: Mapping[str, DeclaredTool]
    server_info: Mapping[str, Any]
    tasks: Tasks

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
                case "tasks/get" | "tasks/update" | "tasks/cancel" if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
                    return await self._task(ctx, call_next, admission)
                case "subscriptions/listen" if _wants_news_of_tasks(ctx) and not declares(ctx.params or {}):
                    raise undeclared()
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
        if ctx.method == "server/discover" and self.tasks.are_offered:
            able = told["capabilities"]
            extensions = {**able.get("extensions", {}), EXTENSION: dict[str, Any]()}
            told = {**told, "capabilities": {**able, "extensions": extensions}}
        return told if told.get("instructions", signed) == signed else {**told, "instructions": signed}

    async def _list(self, ctx: Context, call_next: CallNext, admission: Admission) -> HandlerResult:
        """The list that `mcp` made, less what this caller may not use; its order stays. Pierhead's own come last."""
        visible = {tool.name: tool for tool in self.governance.visible(admission.caller)}
        result = as_dict(await call_next(ctx))
        listed = cast("list[dict[str, Any]]", result["tools"])
        shown = [self._shown(tool, visible[tool["name"]]) for tool in listed if tool["name"] in visible]
        if not result.get("nextCursor"):
            shown += [TOOLS[name].wire() for name in self.governance.waiting_tools(admission.caller)]
        return {**result, "tools": shown}

    def _shown(self, wire: dict[str, Any], tool: Tool) -> dict[str, Any]:
        """A tool as clients see it: whatever policy may make its calls answer fits its output schema."""
        schema = wire.get("outputSchema")
        if schema is None or is_widened(schema) or not self.governance.may_answer_otherwise(tool):
            return wire
        return {**wire, "outputSchema": widened(schema)}

    async def _call(self, ctx: Context, call_next: CallNext, admission: Admission) -> HandlerResult:
        params = ctx.params or {}
        name, raw = params.get("name"), params.get("arguments")
        if not isinstance(name, str):
            return await call_next(ctx)  # malformed: `mcp` answers with the protocol's own error
        governance, caller, client = self.governance, admission.caller, client_of(ctx)
        call = governance.call(admission, name, ctx.protocol_version, client, run_in(params.get("_meta")))
        asked = AskedInClient(governance.approvals, governance.audit, governance.clock, ctx, client)
        upstream = Begun(_Onwards(ctx, call_next))
        try:
            tool = self.tools.get(name) or TOOLS.get(name)
            if tool is not None and governance.may_see(name, caller):
                call, values = await governance.read(call, caller, tool, {} if raw is None else raw)
                if isinstance(tool, WaitingTool):
                    upstream = Begun(OwnApprovals(governance.approvals, governance.waits, values))
            outcome = await governance.run(call, caller, upstream, asked)
        except (Invalid, ToolTimedOut) as failed:
            return self._own(ctx, tool_result(failure(failed)))
        if isinstance(outcome, Waiting) and not upstream.is_begun and asked.question is None and _follows_tasks(ctx):
            task = self.tasks.offered(outcome, {} if raw is None else raw, caller)
            if task is not None:
                return self._stamped(task)
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

    async def _task(self, ctx: Context, call_next: CallNext, admission: Admission) -> HandlerResult:
        """What is asked of a task; one that we did not make is an extension's own, where the server has one."""
        self.governance.reachable(admission.caller)
        params = ctx.params or {}
        task_id = params.get("taskId")
        if isinstance(task_id, str) and tool_in(task_id):
            if not declares(params):
                raise undeclared()
            return self._stamped(await self._about_task(ctx, call_next, admission, task_id))
        try:
            return await call_next(ctx)
        except MCPError as refused:
            if refused.error.code == METHOD_NOT_FOUND:
                raise no_such_task() from None
            raise

    async def _about_task(
        self, ctx: Context, call_next: CallNext, admission: Admission, task_id: str
    ) -> dict[str, Any]:
        governance, caller = self.governance, admission.caller
        call = governance.call(admission, tool_in(task_id), ctx.protocol_version, client_of(ctx))
        async with recording_refusals(call, caller, governance.audit):
            handle, tool = self.tasks.seal.opened(task_id, caller), self.tools.get(call.tool)
            if handle is None or tool is None or not governance.may_see(call.tool, caller):
                raise no_such_task()
        if ctx.method == "tasks/get":
            params = {"name": call.tool, "arguments": handle.arguments, "_meta": (ctx.params or {})["_meta"]}
            onwards = _Onwards(replace(ctx, method="tools/call", params=params), call_next)
            return await self.tasks.polled(Poll(handle, call, caller, tool, onwards))
        if ctx.method == "tasks/cancel":
            await self._withdraw(ctx, handle, admission)
        return {"resultType": "complete"}

    async def _withdraw(self, ctx: Context, handle: Handle, admission: Admission) -> None:
        """As `approvals_cancel`. What is past withdrawing goes on: the client is told so when it asks."""
        governance, caller, tool = self.governance, admission.caller, TOOLS[three.CANCEL]
        call = governance.call(admission, three.CANCEL, ctx.protocol_version, client_of(ctx))
        call, values = await governance.read(call, caller, tool, {"id": handle.approval})
        await governance.run(call, caller, OwnApprovals(governance.approvals, governance.waits, values))

    def _own(self, ctx: Context, told: dict[str, Any]) -> HandlerResult:
        """An answer of our own in the form of its revision, as `mcp` finishes those of its handlers."""
        version = ctx.protocol_version
        result = serialize_server_result("tools/call", version, told)
        return self._stamped(result) if version in MODERN_PROTOCOL_VERSIONS else result

    def _stamped(self, result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "_meta": {SERVER_INFO_META_KEY: dict(self.server_info)}}


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


def _follows_tasks(ctx: Context) -> bool:
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and declares(ctx.params or {})


def _wants_news_of_tasks(ctx: Context) -> bool:
    wanted = (ctx.params or {}).get("notifications")
    return isinstance(wanted, Mapping) and "taskIds" in wanted


def client_of(ctx: Context) -> str:
    """What the client says of itself, short: traced, never a ground to permit."""
    info = ctx.session.client_params.client_info if ctx.session.client_params else None
    return f"{info.name} {info.version}"[:100] if info else ""
