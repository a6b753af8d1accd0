"""A client that follows tasks, by hand: each message is one POST of the stateless revision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

PREFIX = "io.modelcontextprotocol/"
TASKS = "io.modelcontextprotocol/tasks"
DECLARED: Mapping[str, Any] = {"extensions": {TASKS: {}}}


@dataclass
class Follower:
    """`capabilities` are declared with each message."""

    http: httpx2.AsyncClient
    url: str
    capabilities: Mapping[str, Any] = field(default_factory=lambda: DECLARED)

    async def post(self, method: str, params: Mapping[str, Any], **headers: str) -> httpx2.Response:
        meta = {
            f"{PREFIX}protocolVersion": "2026-07-28",
            f"{PREFIX}clientInfo": {"name": "follower", "version": "1"},
            f"{PREFIX}clientCapabilities": dict(self.capabilities),
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        named = {"mcp-name": str(name)} if (name := params.get("name") or params.get("taskId")) else {}
        own = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
            **named,
            **headers,
        }
        return await self.http.post(self.url, json=body, headers=own)

    async def say(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The result, or the error."""
        answer = (await self.post(method, params)).json()
        return answer.get("result") or answer["error"]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return await self.say("tools/call", {"name": tool, "arguments": arguments})

    async def begin(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """A call that waits; the name of its task."""
        task = await self.call(tool, arguments)
        assert task.get("resultType") == "task", task
        return str(task["taskId"])

    async def poll(self, task: str) -> dict[str, Any]:
        return await self.say("tasks/get", {"taskId": task})
