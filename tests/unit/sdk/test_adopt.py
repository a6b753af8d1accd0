"""A server written with the `mcp` package alone, adopted: governed as any other, in both revisions."""

import pytest
from mcp.server import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp_types import TextResourceContents

from pierhead import Caller, Server, authorize_tool
from pierhead.core.errors import Misconfigured
from pierhead.testing import platform

ERAS = ["2026-07-28", "legacy"]


def existing() -> MCPServer:
    server = MCPServer("orders", version="2.1.0", cache_hints={"tools/list": CacheHint(ttl_ms=1, scope="public")})

    @server.tool(title="Count", description="Count orders by state.")
    @authorize_tool(policy="group:data-eng", effect="read", minutes_saved=3)
    def count_orders(status: str, caller: Caller) -> str:
        return f"{status} for {caller.name}"

    @authorize_tool(policy="group:admins", effect="destructive", minutes_saved=3)
    @server.tool()
    async def drop_orders(status: str) -> str:
        """Drop the orders in one state."""
        raise AssertionError(status)

    @server.resource("orders://states")
    def states() -> str:
        return "open, closed"

    return server


def adopted() -> Server:
    return Server.adopt(existing(), owner="shop", support="#shop-help")


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_an_adopted_tool_runs_for_those_it_was_declared_for(era: str) -> None:
    async with (
        platform(adopted(), access="everyone") as running,
        running.client("alice", ["data-eng"], mode=era) as client,
    ):
        listed = (await client.list_tools()).tools
        assert [(tool.name, tool.title, tool.description) for tool in listed] == [
            ("count_orders", "Count", "Count orders by state.")
        ]
        assert listed[0].annotations is not None
        assert listed[0].annotations.read_only_hint
        result = await client.call_tool("count_orders", {"status": "open"})
        assert result.structured_content == {"result": "open for alice"}
        with pytest.raises(MCPError, match="Unknown tool: drop_orders"):
            await client.call_tool("drop_orders", {"status": "open"})
    assert running.audit.kinds() == ["call-started", "call-finished", "call-refused"]


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_an_adopted_tool_takes_its_arguments_strictly_and_waits_for_approval(era: str) -> None:
    async with platform(adopted(), access="everyone") as running:
        async with running.client("alice", ["data-eng"], mode=era) as client:
            refused = await client.call_tool("count_orders", {"status": "open", "caller": {"name": "root"}})
            assert refused.is_error
            assert "bad-arguments" in refused.content[0].text
        async with running.client("root", ["admins"], mode=era) as client:
            await client.list_tools()
            waiting = await client.call_tool("drop_orders", {"status": "open"})
            assert waiting.structured_content["status"] == "approval_required"
    assert running.audit.kinds() == ["call-refused"] * 2


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_what_is_no_tool_stays_as_it_was_and_what_was_added_later_is_not_there(era: str) -> None:
    before = existing()
    server = Server.adopt(before, owner="shop", support="#shop-help")

    @before.tool()
    def added_later() -> str:
        """Never declared."""
        raise AssertionError

    async with platform(server, access="everyone") as running, running.client("ann", ["data-eng"], mode=era) as client:
        contents = (await client.read_resource("orders://states")).contents[0]
        assert isinstance(contents, TextResourceContents)
        assert contents.text == "open, closed"
        assert [tool.name for tool in (await client.list_tools()).tools] == ["count_orders"]
        with pytest.raises(MCPError, match="Unknown tool: added_later"):
            await client.call_tool("added_later", {})


@pytest.mark.anyio
async def test_a_list_that_varies_by_caller_is_private_whatever_the_server_said() -> None:
    async with platform(adopted(), access="everyone") as running, running.client("ann", mode=ERAS[0]) as client:
        assert (await client.list_tools()).cache_scope == "private"


def test_a_server_with_undeclared_tools_is_not_adopted_and_all_of_them_are_named() -> None:
    server = existing()

    @server.tool()
    def second() -> str:
        """Undeclared."""
        return ""

    @server.tool()
    def first() -> str:
        """Undeclared."""
        return ""

    with pytest.raises(Misconfigured, match="of orders have no declaration: first, second"):
        Server.adopt(server, owner="shop", support="#shop-help")
