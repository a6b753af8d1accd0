"""Errors and answers in the form that `mcp` puts on the wire.

Below: `result` (what a call answers). Above: `protocol`, `short`, `tasks`, `guest`. Not here: which revision is spoken.
"""

from typing import Any

import orjson
from mcp.server.context import HandlerResult
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult
from pydantic import BaseModel

from pierhead.core.errors import PierheadError
from pierhead.core.wire_codes import numbers
from pierhead.sdk.result import Answer


def protocol_error(error: PierheadError) -> MCPError:
    """`error` as JSON-RPC: its number, its message, and code and hint as data."""
    return MCPError(code=numbers(error).json_rpc, message=error.message, data={"code": error.code, "hint": error.hint})


def error_body(error: MCPError) -> dict[str, Any]:
    """The error as a member of an answer."""
    return error.error.model_dump(mode="json", by_alias=True, exclude_none=True)


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
