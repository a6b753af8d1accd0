"""The front desk, `/mcp`: three constant tools before the whole fleet, for clients that can hold one connection.

`find_tools` and `describe_tool` are answered here, from the policy in force. `call_tool` is turned into the very
message that `/mcp/{server}` takes, and carried by the relay as if it had arrived there: one path, decision and record.
Below: `usecases/find_tools`. Above: `relay`.
"""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

import orjson

from pierhead.apps.gateway.asgi import Message, Send
from pierhead.apps.gateway.edge import Fields
from pierhead.apps.gateway.envelope import Envelope
from pierhead.apps.gateway.strict_json import is_object, parse
from pierhead.apps.problem import MODERN
from pierhead.core.approval import Approval
from pierhead.core.errors import Invalid
from pierhead.core.identity import Caller
from pierhead.usecases.find_tools import Entry, ToolFinder, ToolIndex
from pierhead.usecases.resolve import no_such_tool

CALL: Final = "call_tool"
_MOST: Final = 25
_USUAL: Final = 8
_LONGEST_QUERY: Final = 400
_LONGEST_NAME: Final = 128
_SUMMARY: Final = 240
_PATIENCE_S: Final = 0.05
_TTL_MS: Final = 300_000
_PREFIX: Final = "io.modelcontextprotocol/"
_INFO: Final = f"{_PREFIX}serverInfo"
_CAPABILITIES: Final = f"{_PREFIX}clientCapabilities"
_TASKS: Final = f"{_PREFIX}tasks"
_STATELESS: Final = {f"{_PREFIX}protocolVersion": MODERN, _CAPABILITIES: dict[str, Any]()}
_METHODS_OWN: Final = frozenset({400, 404})

INSTRUCTIONS: Final = (
    "One connection to every server you may use. Find a tool with find_tools, read its schema with describe_tool, "
    "then call it with call_tool. Each call is decided and recorded under the tool's own name."
)


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _tool(name: str, title: str, description: str, members: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": members, "required": list(required), "additionalProperties": False}
    return {"name": name, "title": title, "description": description, "inputSchema": schema}


_SERVER: Final = _text("The server, as find_tools names it.")
_NAME: Final = _text("The tool, as find_tools names it.")

TOOLS: Final = (
    {
        **_tool(
            "find_tools",
            "Find tools",
            "Find tools you may use, over all servers, best first. Ask in plain words for what you want to do.",
            {
                "query": {**_text("What you want to do; empty for the tools used most."), "maxLength": _LONGEST_QUERY},
                "limit": {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _USUAL},
            },
            "query",
        ),
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
    {
        **_tool(
            "describe_tool",
            "Describe a tool",
            "One tool's whole description, input and output schema, effect and approval.",
            {"server": _SERVER, "tool": _NAME},
            "server",
            "tool",
        ),
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
    _tool(
        CALL,
        "Call a tool",
        "Call one tool of one server with arguments that fit its input schema; answers what that tool answers.",
        {"server": _SERVER, "tool": _NAME, "arguments": {"type": "object", "description": "The tool's arguments."}},
        "server",
        "tool",
    ),
)
"""The same for everyone, whatever the fleet."""


class Onward(NamedTuple):
    """The message that a `call_tool` stands for."""

    server: str
    fields: Fields
    body: bytes


@dataclass(slots=True)
class Desk:
    """Answers what the front desk answers itself. `version` is the platform's."""

    finder: ToolFinder
    version: str
    _building: "asyncio.Task[None] | None" = None
    _has_index: bool = field(default=False)

    async def answer(self, found: Envelope, body: bytes, caller: Caller) -> dict[str, Any]:
        """The result of a request that is not carried on.

        Errors: Invalid, for a method that the desk has not; NotFound; Forbidden; PolicyExpired.
        """
        match found.method.name:
            case "initialize":
                return self._greeting(found.era)
            case "ping":
                return {}
            case "server/discover":
                return self._listed({**self._abilities(), "supportedVersions": [MODERN]}, found.era)
            case "tools/list":
                return self._listed({"tools": list(TOOLS)}, found.era)
            case "tools/call":
                return self._told(await self._look(found.target, _arguments(body), caller), found.era)
            case name:
                raise Invalid(f"no method {name!r} at the front desk", hint="it has tools", code="unknown-method")

    def _abilities(self) -> dict[str, Any]:
        return {"capabilities": {"tools": {}}, "instructions": INSTRUCTIONS}

    def _greeting(self, era: str) -> dict[str, Any]:
        return {"protocolVersion": era, "serverInfo": self._name(), **self._abilities()}

    def _name(self) -> dict[str, Any]:
        return {"name": "pierhead", "title": "Pierhead's front desk", "version": self.version}

    def _listed(self, content: dict[str, Any], era: str) -> dict[str, Any]:
        if era != MODERN:
            return content
        return {**self._complete(content), "ttlMs": _TTL_MS, "cacheScope": "private"}

    def _complete(self, content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "resultType": "complete", "_meta": {_INFO: self._name()}}

    def _told(self, content: dict[str, Any], era: str) -> dict[str, Any]:
        text = orjson.dumps(content).decode()
        told = {"content": [{"type": "text", "text": text}], "structuredContent": content, "isError": False}
        return self._complete(told) if era == MODERN else told

    async def _look(self, tool: str, arguments: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        match tool:
            case "find_tools":
                return await self._found(arguments, caller)
            case "describe_tool":
                _only(arguments, "server", "tool")
                return described(self.finder.describe(_named(arguments, "server"), _named(arguments, "tool"), caller))
            case _:
                raise no_such_tool(tool)

    async def _found(self, arguments: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        _only(arguments, "query", "limit")
        query, limit = arguments.get("query"), arguments.get("limit", _USUAL)
        if not isinstance(query, str) or len(query) > _LONGEST_QUERY:
            raise _wrong(f"query is no text of at most {_LONGEST_QUERY} characters")
        if type(limit) is not int or not 1 <= limit <= _MOST:
            raise _wrong(f"limit is no number from 1 to {_MOST}")
        await self._freshen()
        entries, more = self.finder.find(query, limit, caller)
        return {"tools": [summary(entry) for entry in entries], "more": more}

    async def _freshen(self) -> None:
        """See that the index is there, and soon that of the revision in force: what may be used is decided apart."""
        if self.finder.is_current:
            return
        if self._building is None or self._building.done():
            self._building = asyncio.create_task(self._build())
        await asyncio.wait({self._building}, timeout=_PATIENCE_S if self._has_index else None)

    async def _build(self) -> None:
        snapshot = self.finder.snapshots.current()
        self.finder.take(snapshot, await asyncio.to_thread(ToolIndex.of, snapshot, self.finder.index))
        self._has_index = True


def summary(entry: Entry) -> dict[str, Any]:
    """One tool found, in a line."""
    server, tool = entry
    first = " ".join(tool.description.split())
    told = {"server": server.name, "tool": tool.name, "effect": str(tool.effect)}
    if tool.approval is not Approval.NONE:
        told["approval"] = str(tool.approval)
    return {**told, "description": first if len(first) <= _SUMMARY else f"{first[: _SUMMARY - 1]}…"}


def described(entry: Entry) -> dict[str, Any]:
    """One tool, whole."""
    server, tool = entry
    return {
        "server": server.name,
        "tool": tool.name,
        "description": tool.description,
        "effect": str(tool.effect),
        "approval": str(tool.approval),
        "inputSchema": tool.input_schema,
        **({"outputSchema": tool.output_schema} if tool.output_schema else {}),
        **({"notice": server.notice} if server.notice else {}),
    }


def onward(found: Envelope, fields: Fields, body: bytes) -> Onward:
    """The message that this `call_tool` stands for, as its server's own endpoint would take it.

    Whatever else the request holds (its id, `_meta`, answers to questions) stays. Servers know no session of the desk's
    clients, so they are asked in the stateless revision; who speaks an older one can be asked nothing. Errors: Invalid.
    """
    message = cast("dict[str, Any]", parse(body))
    arguments = _arguments(body)
    _only(arguments, "server", "tool", "arguments")
    server, tool = _named(arguments, "server"), _named(arguments, "tool")
    given: object = arguments.get("arguments", {})
    if not isinstance(given, dict):
        raise _wrong("arguments is no object")
    params: dict[str, Any] = {**message["params"], "name": tool, "arguments": given}
    kept = {name: value for name, value in fields.items() if not name.startswith(b"mcp-param-")}
    kept |= {b"mcp-name": _header(tool), b"mcp-method": b"tools/call", b"mcp-protocol-version": MODERN.encode()}
    params["_meta"] = _asked_here(params["_meta"]) if found.era == MODERN else {**params.get("_meta", {}), **_STATELESS}
    return Onward(server, kept, orjson.dumps({**message, "params": params}))


def _asked_here(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The `_meta` without tasks: one server's task could not be polled at the desk, which is not told whose it is."""
    capabilities = meta.get(_CAPABILITIES)
    extensions = capabilities.get("extensions") if is_object(capabilities) else None
    if not is_object(capabilities) or not is_object(extensions):
        return {**meta}
    kept = {name: value for name, value in extensions.items() if name != _TASKS}
    return {**meta, _CAPABILITIES: {**capabilities, "extensions": kept}}


def in_band(send: Send) -> Send:
    """`send` to a client of an older revision, which reads errors of a method at 200."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in _METHODS_OWN:
            message["status"] = 200
        await send(message)

    return sending


def _header(tool: str) -> bytes:
    """A tool's name as the protocol writes it in a header."""
    is_plain = tool.isascii() and tool.isprintable() and tool == tool.strip() and not tool.startswith("=?")
    return tool.encode() if is_plain else b"=?base64?" + b64encode(tool.encode()) + b"?="


def _arguments(body: bytes) -> dict[str, Any]:
    """The arguments of a tools/call, whose bytes were read strictly before. Errors: Invalid."""
    message = cast("dict[str, Any]", parse(body))
    arguments = message["params"].get("arguments", {})
    if not isinstance(arguments, dict):
        raise _wrong("arguments is no object")
    return cast("dict[str, Any]", arguments)


def _only(arguments: Mapping[str, Any], *known: str) -> None:
    unknown = sorted(arguments.keys() - set(known))
    if unknown:
        raise _wrong(f"unknown arguments: {', '.join(unknown)}"[:200])


def _named(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME:
        raise _wrong(f"{name} is no text of 1 to {_LONGEST_NAME} characters")
    return value


def _wrong(message: str) -> Invalid:
    return Invalid(message, hint="see the tool's input schema", code="bad-arguments")
