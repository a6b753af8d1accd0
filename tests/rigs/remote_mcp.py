"""A real MCP server of somebody else, over Streamable HTTP, made with the `mcp` package; it does what a test tells it.

`POST /rig` with `{"tools": {NAME: DESCRIPTION}, "mode": ...}` changes it while it runs, and tells its clients; `GET
/rig` shows what it saw. Modes: `well`, `legacy` (no stateless revision), `redirect` (to `location`), `refuse` (401),
`huge`, `broken` (500). Run: `python remote_mcp.py PORT`.
"""

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}


@dataclass
class Rig:
    """What the server is told to be, and what it saw."""

    tools: dict[str, str] = field(default_factory=lambda: {"echo": "Says it again.", "slow": "Takes a while."})
    mode: str = "well"
    location: str = ""
    lists: int = 0
    calls: int = 0
    connections: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    sessions: list[Any] = field(default_factory=list[Any])
    bus: InMemorySubscriptionBus = field(default_factory=InMemorySubscriptionBus)

    async def list_tools(
        self, ctx: ServerRequestContext[Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        """Two to a page, so that whoever reads one page sees half."""
        self.lists += 1
        self.sessions.append(ctx.session)
        start = int(params.cursor) if params and params.cursor else 0
        names = list(self.tools)
        page = [Tool(name=name, description=self.tools[name], inputSchema=SCHEMA) for name in names[start : start + 2]]
        return ListToolsResult(tools=page, nextCursor=str(start + 2) if start + 2 < len(names) else None)

    async def call_tool(self, _ctx: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        self.calls += 1
        if params.name == "slow":
            await asyncio.sleep(60)
        text = str((params.arguments or {}).get("text", ""))
        return CallToolResult(content=[TextContent(type="text", text=text)])

    async def control(self, request: Request) -> Response:
        if request.method == "POST":
            told = await request.json()
            for name in ("tools", "mode", "location"):
                setattr(self, name, told.get(name, getattr(self, name)))
            if "tools" in told:
                await self.bus.publish(ToolsListChanged())
                if self.mode == "legacy" and self.sessions:
                    await self.sessions[-1].send_tool_list_changed()
        seen = {"lists": self.lists, "calls": self.calls, "connections": self.connections, "headers": self.headers}
        return JSONResponse(seen)

    async def misbehave(self, body: bytes) -> Response | None:
        """The answer that its mode wants, if it is not the server's own."""
        match self.mode:
            case "legacy" if b'"server/discover"' in body:
                error = {"jsonrpc": "2.0", "id": json.loads(body)["id"], "error": {"code": -32601, "message": "no"}}
                return JSONResponse(error, 404)
            case "redirect":
                return RedirectResponse(self.location, 307)
            case "refuse":
                return Response(status_code=401)
            case "broken":
                return Response(status_code=500)
            case "huge":
                return StreamingResponse(_endless(), media_type="application/json")
            case _:
                return None


async def _endless() -> Any:
    while True:
        yield b" " * 2**20


def application(rig: Rig) -> Any:
    server: Server[Any] = Server(
        "somebody",
        version="1",
        on_list_tools=rig.list_tools,
        on_call_tool=rig.call_tool,
        on_subscriptions_listen=ListenHandler(rig.bus),
    )
    inner = server.streamable_http_app(
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False)
    )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await inner(scope, receive, send)
        elif scope["path"] == "/rig":
            await (await rig.control(Request(scope, receive)))(scope, receive, send)
        else:
            await _mcp(scope, receive, send)

    async def _mcp(scope: Any, receive: Any, send: Any) -> None:
        rig.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = await Request(scope, receive).body()
        answer = await rig.misbehave(body)
        unread = True

        async def again() -> Any:
            nonlocal unread
            if unread:
                unread = False
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()

        await (answer or inner)(scope, again, send)

    return app


if __name__ == "__main__":
    uvicorn.run(application(Rig()), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
