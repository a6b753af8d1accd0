"""What a client is told of a task, in the form of the extension `io.modelcontextprotocol/tasks`.

A task ends as its call would have ended: with a result, also that people denied it; with the error that the call would
have met; withdrawn. Pure. Above: `tasks`. Not here: running anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from mcp.shared.exceptions import MCPError
from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY
from mcp_types.methods import serialize_server_result

from pierhead.core.approval import ApprovalState, Ticket
from pierhead.core.call import Call, Waiting
from pierhead.core.errors import Conflict, Invalid, PierheadError
from pierhead.sdk.result import Answer, approval_required, moment
from pierhead.sdk.task_seal import Handle
from pierhead.sdk.wire import error_body, protocol_error, tool_result

EXTENSION: Final = "io.modelcontextprotocol/tasks"
ERA: Final = "2026-07-28"
POLL_S: Final = 15
KEPT_S: Final = 300.0
"""How long the result of a task can be read again, where it ran."""
_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
_OPEN: Final = frozenset({ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXECUTING})


@dataclass(frozen=True, slots=True)
class Told:
    """What a poll tells: the task's status, a sentence, and its result or error."""

    status: str
    sentence: str
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])


def declares(params: Mapping[str, Any]) -> bool:
    """Whether this very request says that its client can follow tasks."""
    found: object = params
    for member in ("_meta", _CAPABILITIES, "extensions", EXTENSION):
        found = cast("Mapping[str, object]", found).get(member) if isinstance(found, Mapping) else None
    return isinstance(found, Mapping)


def undeclared() -> MCPError:
    """For who asks about tasks and does not say that they can follow them."""
    required = {"requiredCapabilities": {"extensions": {EXTENSION: dict[str, Any]()}}}
    message = f"declare the extension {EXTENSION} with each request about tasks"
    return MCPError(code=MISSING_REQUIRED_CLIENT_CAPABILITY, message=message, data=required)


def no_such_task() -> Invalid:
    """One text for what is absent, another's, altered, or a call of a tool that its caller may not use any more."""
    return Invalid("no such task, or it is not yours", hint="call the tool again", code="no-such-task")


def created(handle: Handle, ticket: Ticket) -> dict[str, Any]:
    """The answer to a call that waits: a task in its place."""
    told = Told("working", f"{ticket.sentence}: {ticket.url}")
    return {"resultType": "task", **_task(handle, told, handle.created)}


def polled(handle: Handle, told: Told, now: float) -> dict[str, Any]:
    """The answer to a poll."""
    return {"resultType": "complete", **_task(handle, told, now), **told.more}


def _task(handle: Handle, told: Told, now: float) -> dict[str, Any]:
    lasts_until = max(handle.expires, now + KEPT_S) if "result" in told.more else handle.expires
    return {
        "taskId": handle.task_id,
        "status": told.status,
        "statusMessage": told.sentence,
        "createdAt": moment(handle.created),
        "lastUpdatedAt": moment(now),
        "ttlMs": max(0, round((lasts_until - handle.created) * 1000)),
        "pollIntervalMs": POLL_S * 1000,
    }


def told_by(ticket: Ticket, call: Call) -> Told:
    """The task as its approval stands. Errors: Invalid (`task-over`), where it ran and its result is told no more."""
    sentence = ticket.sentence
    match ticket.state:
        case state if state in _OPEN:
            return Told("working", f"{sentence}: {ticket.url}")
        case ApprovalState.DENIED:
            return completed(approval_required(Waiting(call, sentence, (), ticket)), sentence)
        case ApprovalState.CANCELLED:
            return Told("cancelled", sentence)
        case ApprovalState.CONSUMED:
            message = f"this task ran once, and its result is told no more; {sentence}"
            raise Invalid(message, hint="read what it changed; do not repeat it unseen", code="task-over")
        case _:
            return failed(Conflict(sentence, hint="ask the person before you call again", code="approval-state"))


def completed(result: Answer | Mapping[str, Any], sentence: str) -> Told:
    """Ended with a result of the call, good or bad."""
    if isinstance(result, Answer):
        result = serialize_server_result("tools/call", ERA, tool_result(result))
    return Told("completed", sentence, {"result": result})


def failed(error: PierheadError | MCPError) -> Told:
    """Ended with the error that the call met."""
    body = error_body(protocol_error(error) if isinstance(error, PierheadError) else error)
    return Told("failed", body["message"], {"error": body})
