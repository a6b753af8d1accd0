"""A guest: an MCP server that nobody here wrote, governed without changing a line of it.

Its entry declares which of its tools exist and for whom; a tool it does not name does not. Arguments are held
against the guest's own schema, closed to members it does not know. What clients are shown is what is published, member
for member: titles, icons and whatever else a guest sends along is left out. Not here: its process (`adapters/foreign`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import jsonschema
from mcp.server import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server as LowLevelServer
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    ToolAnnotations,
)
from mcp_types import Tool as WireTool
from referencing import Registry

from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Tool
from pierhead.core.errors import PierheadError
from pierhead.core.schema_bounds import DEEPEST, MOST_PARTS, outside_reference, parts, pattern_fault
from pierhead.core.waiting_tools import WAITING_TOOLS
from pierhead.sdk.authorize import Declaration
from pierhead.sdk.result import failure, widened
from pierhead.sdk.schema import held_against, schema_fault
from pierhead.sdk.tool import Arguments
from pierhead.sdk.wire import tool_result

_LIST_TTL_MS: Final = 60_000
#: An empty registry: a `$ref` that points outside the schema is an error, and nothing is fetched.
_NO_FETCHING: Final[Registry[Any]] = Registry()
#: What of a guest's tool is published, and so may be shown.
_SHOWN: Final = ("name", "title", "description", "inputSchema", "outputSchema")


class Guest(Protocol):
    """The guest's process, however it is reached."""

    async def tools(self) -> list[dict[str, Any]]:
        """Its tools in wire form. Errors: UpstreamUnreachable."""
        ...

    async def call(self, name: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        """The wire form of its result. Errors: UpstreamUnreachable; nothing is ever repeated."""
        ...


@dataclass(frozen=True, slots=True)
class GuestTool:
    """One tool of a guest, as the fleet file declares it."""

    name: str
    wire: Mapping[str, Any] = field(hash=False)
    declaration: Declaration
    checker: jsonschema.Draft202012Validator = field(hash=False, compare=False)

    def parse(self, raw: bytes) -> Arguments:
        """Hold arguments against the guest's schema. Errors: Invalid (`bad-arguments`), every fault by place."""
        return held_against(self.name, self.checker, raw)

    def declared(self) -> Tool:
        return Tool(
            name=self.name,
            description=str(self.wire.get("description") or ""),
            policy=self.declaration.policy,
            effect=self.declaration.effect,
            approval=self.declaration.approval,
            minutes=self.declaration.minutes,
            input_schema=self.wire["inputSchema"],
            output_schema=self.wire.get("outputSchema") or {},
            timeout_s=self.declaration.timeout_s,
            idempotent=self.declaration.idempotent,
            title=str(self.wire.get("title") or ""),
            bounds=self.declaration.bounds,
        )


@dataclass(slots=True)
class GuestTools(Mapping[str, GuestTool]):
    """The declared tools of a guest as it last listed them. `unusable` says of the others why they are left out."""

    declared: Mapping[str, Declaration]
    unusable: Mapping[str, str] = field(default_factory=dict[str, str])
    _live: Mapping[str, GuestTool] = field(default_factory=dict[str, GuestTool])

    def take(self, wire: Iterable[Mapping[str, Any]]) -> bool:
        """Take what the guest lists now; whether any declared tool changed, came or went."""
        live, unusable = guest_tools(wire, self.declared)
        changed = {name: tool.wire for name, tool in live.items()} != {name: tool.wire for name, tool in self.items()}
        self._live, self.unusable = live, unusable
        return changed

    def __getitem__(self, name: str) -> GuestTool:
        return self._live[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._live)

    def __len__(self) -> int:
        return len(self._live)


def guest_tools(
    wire: Iterable[Mapping[str, Any]], declared: Mapping[str, Declaration]
) -> tuple[dict[str, GuestTool], dict[str, str]]:
    """The guest's tools that its entry declares, in the guest's order, and why others of them cannot be used.

    A declared tool that the guest does not list is left out; one that it lists twice is used in neither form.
    """
    found: dict[str, GuestTool] = {}
    unusable: dict[str, str] = {}
    seen = set[str]()
    for tool in wire:
        name = tool["name"]
        if name not in declared:
            continue
        fault = _fault(tool) if name not in WAITING_TOOLS else "its name is one of Pierhead's own tools"
        fault = "it is listed twice" if name in seen else fault
        seen.add(name)
        if fault:
            unusable[name] = fault
            found.pop(name, None)
        else:
            found[name] = _guest_tool(tool, declared[name])
    return found, unusable


def _fault(wire: Mapping[str, Any]) -> str:
    """Why arguments cannot be held against its schema; empty if they can."""
    schema = _closed(wire)
    seen = list(parts(schema))
    if len(seen) > MOST_PARTS or any(part.depth > DEEPEST for part in seen):
        return "its schema is too large or too deep"
    if any(outside_reference(part) for part in seen):
        return "its schema refers to what is not inside it"
    patterns = [fault for part in seen if (fault := pattern_fault(part))]
    if patterns:
        return f"its schema has a pattern that is {patterns[0]}"
    fault = schema_fault(schema)
    return f"its schema is none: {fault}" if fault else ""


def _closed(wire: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", **wire["inputSchema"], "additionalProperties": False}


def _guest_tool(wire: Mapping[str, Any], declaration: Declaration) -> GuestTool:
    """Close its input schema, and say in its annotations what was declared, not what it claims."""
    schema = _closed(wire)
    shown = {name: wire[name] for name in _SHOWN if name in wire}
    shown |= {"inputSchema": schema, "annotations": _hints(declaration)}
    if wire.get("outputSchema") and declaration.approval is not Approval.NONE:
        shown["outputSchema"] = widened(wire["outputSchema"])
    return GuestTool(wire["name"], shown, declaration, jsonschema.Draft202012Validator(schema, registry=_NO_FETCHING))


def _hints(declaration: Declaration) -> dict[str, Any]:
    hints = ToolAnnotations(
        read_only_hint=declaration.effect is Effect.READ,
        destructive_hint=declaration.effect is Effect.DESTRUCTIVE,
        idempotent_hint=declaration.idempotent or declaration.effect is Effect.READ,
    )
    return hints.model_dump(by_alias=True, exclude_none=True)


def guest_front(name: str, version: str, tools: Mapping[str, GuestTool], guest: Guest) -> LowLevelServer[Any]:
    """A protocol server that lists the declared tools and forwards their calls to the guest."""

    async def list_tools(_ctx: ServerRequestContext[Any], _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[WireTool.model_validate(tool.wire) for tool in tools.values()])

    async def call_tool(_ctx: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        try:
            result = await guest.call(params.name, params.arguments or {})
        except PierheadError as failed:
            result = tool_result(failure(failed))
        return CallToolResult.model_validate(result)

    return LowLevelServer(
        name,
        version=version,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        cache_hints={"tools/list": CacheHint(ttl_ms=_LIST_TTL_MS, scope="private")},
    )
