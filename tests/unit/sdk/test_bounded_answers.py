"""What one answer may be long: of plain tools, of those that talk to the protocol, of errors in anybody's words."""

from typing import Any

import pytest
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent

from pierhead import Invalid, Server
from pierhead.core.errors import Misconfigured
from pierhead.sdk.authorize import MOST_CHARACTERS
from pierhead.sdk.result import Encoded
from pierhead.testing import platform

ERAS = ["2026-07-28", "legacy"]
FRAME = len('{"result":""}')
pytestmark = pytest.mark.anyio


def talkative(**given: Any) -> Server:
    server = Server("talkative", owner="o", support="#s", **given)
    everyone: dict[str, Any] = {"policy": "everyone", "effect": "read", "minutes_saved": 1}

    @server.tool(**everyone)
    async def plain(size: int, letter: str = "x") -> str:
        """Answer so many letters."""
        return letter * size

    @server.tool(**everyone)
    async def encoded(size: int) -> Encoded[str]:
        """Answer so many letters, written by itself."""
        return Encoded(b'{"result":"%b"}' % (b"x" * size))

    @server.tool(**everyone)
    async def talking(size: int, ctx: Context[Any, Any]) -> str:
        """Answer so many letters, with a hand on the protocol."""
        del ctx
        return "x" * size

    @server.tool(**everyone)
    async def its_own(size: int, ctx: Context[Any, Any]) -> CallToolResult:
        """Fail with so many letters of its own."""
        del ctx
        return CallToolResult(content=[TextContent(type="text", text="x" * size)], is_error=True)

    @server.tool(**everyone)
    async def refuse(size: int) -> str:
        """Refuse with so many letters."""
        raise Invalid("m" * size, hint="h" * size)

    @server.tool(**everyone)
    async def protest(size: int) -> str:
        """Answer with a protocol error of so many letters."""
        raise MCPError(-32021, "x" * size)

    return server


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("tool", ["plain", "encoded", "talking"])
async def test_an_answer_has_as_many_characters_as_its_server_gives_and_no_more(tool: str, era: str) -> None:
    async with platform(talkative(), access="everyone") as running, running.client("ann", mode=era) as client:
        whole = await client.call_tool(tool, {"size": MOST_CHARACTERS - FRAME})
        assert not whole.is_error
        over = await client.call_tool(tool, {"size": MOST_CHARACTERS + 1})
        assert over.is_error
        (block,) = over.content
        assert isinstance(block, TextContent)
        assert "result-too-large" in block.text
        assert "ask for less" in block.text
        assert len(block.text) < 1_000


async def test_characters_are_counted_and_not_bytes() -> None:
    async with platform(talkative(), access="everyone") as running, running.client("ann") as client:
        assert not (await client.call_tool("plain", {"size": MOST_CHARACTERS - FRAME, "letter": "é"})).is_error
        assert (await client.call_tool("plain", {"size": MOST_CHARACTERS, "letter": "é"})).is_error


@pytest.mark.parametrize("era", ERAS)
async def test_errors_are_short_whoever_words_them(era: str) -> None:
    async with platform(talkative(), access="everyone") as running, running.client("ann", mode=era) as client:
        for tool in ("its_own", "refuse"):
            (block,) = (await client.call_tool(tool, {"size": 20_000})).content
            assert isinstance(block, TextContent)
            assert len(block.text) <= 10_000
        with pytest.raises(MCPError) as refused:
            await client.call_tool("protest", {"size": 20_000})
        assert len(refused.value.error.message) == 10_000


async def test_a_server_of_rows_may_give_more_and_none_without_end() -> None:
    rows = talkative(largest_result=100_000)
    async with platform(rows, access="everyone") as running, running.client("ann") as client:
        assert not (await client.call_tool("plain", {"size": 90_000})).is_error
    for wrong in (0, 100_001):
        with pytest.raises(Misconfigured, match="1 to 100,000 characters"):
            talkative(largest_result=wrong)
