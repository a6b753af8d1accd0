"""What a call answers: one encoding for results, failures and waits.

Structured content is encoded once and stands also in the text block, for clients that read only text.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar, cast

import orjson

from pierhead.core.approval import ApprovalState
from pierhead.core.call import Waiting
from pierhead.core.errors import PierheadError, ToolFailed, ToolTimedOut
from pierhead.core.policy import Permit
from pierhead.core.problem import is_retryable
from pierhead.sdk.redacting import redact

_ERROR_TEXT: Final = 1024

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Answer:
    """Structured content as JSON bytes; an error's is text only, since it fits no tool's output schema."""

    encoded: bytes
    is_error: bool


class Encoded(Generic[Result]):
    """A tool's result as JSON already: `async def run_query(...) -> Encoded[QueryResult]`.

    For tools whose answers are large or frequent. The schema shown is that of the type it stands for; that the bytes
    fit it is its author's word, and a matter for its author's tests.
    """

    __slots__ = ("json",)

    def __init__(self, json: bytes) -> None:
        self.json = json


def failure(error: PierheadError) -> Answer:
    """A failed answer: code, message, hint and whether trying again may help."""
    body = {
        "status": "error",
        "error": {
            "code": error.code,
            "message": redact(error.message)[:_ERROR_TEXT],
            "hint": redact(error.hint)[:_ERROR_TEXT],
            "retryable": is_retryable(error),
        },
    }
    return Answer(orjson.dumps(body), is_error=True)


def too_large(tool: str, characters: int, most: int) -> ToolFailed:
    """What a caller reads in place of an answer that no client would hold. Cut, it would be no JSON, or another."""
    message = f"{tool} ran, and its answer has {characters:,} characters; at most {most:,} are given"
    hint = "ask for less: a narrower filter, a smaller limit, or one page after the other"
    return ToolFailed(message, hint=hint, code="result-too-large")


def approval_required(waiting: Waiting) -> Answer:
    """A normal result: nothing ran, and a model must not "fix" its arguments over it."""
    ticket = waiting.ticket
    body: dict[str, object] = {
        "status": _STATUS.get(ticket.state, _WAITS) if ticket else _WAITS,
        "summary": waiting.approval,
        "reasons": list(waiting.reasons),
    }
    if ticket and ticket.id:
        body["approval"] = {"id": ticket.id, "url": ticket.url, "expires_at": moment(ticket.expires_at)}
    if ticket and ticket.id and body["status"] == _WAITS:
        body["next"] = _NEXT
    return Answer(orjson.dumps(body), is_error=False)


def moment(seconds: float) -> str:
    """Seconds since 1970-01-01 UTC as people and programs read them."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


_WAITS: Final = "approval_required"
_STATUS: Final = {
    ApprovalState.DENIED: "denied",
    ApprovalState.EXECUTING: "executing",
    ApprovalState.FAILED_UNKNOWN: "failed_unknown",
}
_NEXT: Final = "show a person the url; once it is approved (approvals_wait), call again with exactly the same arguments"
_NAMED: Final = frozenset({"properties", "$defs", "patternProperties", "dependentSchemas"})  # of names a title may be
_VALUES: Final = frozenset({"default", "const", "enum", "examples"})  # hold values, not schemas
#: As little as tells it apart: it stands in the definition of every tool that people may have to agree to.
_WAITING_SCHEMA: Final = {
    "type": "object",
    "properties": {"status": {"type": "string"}, "summary": {"type": "string"}},
    "required": ["status", "summary"],
}


def widened(schema: dict[str, Any]) -> dict[str, Any]:
    """The output schema of a tool that may have to wait: its own, or the waiting result.

    Definitions stay at the root, where their references point.
    """
    own = {key: value for key, value in schema.items() if key != "$defs"}
    root: dict[str, Any] = {"type": "object", "anyOf": [own, _WAITING_SCHEMA]}
    if "$defs" in schema:
        root["$defs"] = schema["$defs"]
    return root


def is_widened(schema: dict[str, Any]) -> bool:
    """Whether the waiting result fits that schema already."""
    return _WAITING_SCHEMA in schema.get("anyOf", ())


def untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without the titles that pydantic makes of every name: a model reads each definition, and pays."""
    return {key: _untitled(key, value) for key, value in schema.items() if key != "title"}


def _untitled(key: str, value: object) -> object:
    if key in _VALUES:
        return value
    if isinstance(value, list):
        return [_untitled("", each) for each in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    node = cast("dict[str, Any]", value)
    return {name: _untitled("", each) for name, each in node.items()} if key in _NAMED else untitled(node)


def timed_out(permit: Permit) -> ToolTimedOut:
    """What a caller reads when a tool outlives its declared time."""
    tool = permit.request.tool
    return ToolTimedOut(f"{tool.name} took longer than {tool.timeout_s:g} s", hint="ask for less, or try again later")
