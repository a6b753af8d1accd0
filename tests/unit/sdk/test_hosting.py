"""Hosting one server more than once, and answering values that are no objects."""

import pytest
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from pierhead import Caller, Encoded, Server
from pierhead.testing import platform

pytestmark = pytest.mark.anyio


def _lunch() -> Server:
    server = Server("lunch", owner="kitchen", support="#lunch")

    @server.tool(policy="group:staff", effect="read", minutes_saved=1)
    async def menu(day: str, *, caller: Caller) -> list[str]:
        """What is cooked on a day."""
        del caller
        return [day, "pizza"]

    return server


async def test_a_server_that_is_hosted_again_is_governed_by_its_last_host() -> None:
    server = _lunch()
    for _ in range(2):
        async with platform(server, access="everyone") as running:
            async with running.client("gus", groups=["guests"]) as client:
                with pytest.raises(MCPError, match="Unknown tool: menu"):
                    await client.call_tool("menu", {"day": "friday"})
            assert running.audit.kinds() == ["call-refused"]


async def test_a_list_is_answered_as_structured_content_in_both_revisions() -> None:
    for mode in ("auto", "legacy"):
        async with (
            platform(_lunch(), access="everyone") as running,
            running.client("ann", ["staff"], mode=mode) as client,
        ):
            answer = await client.call_tool("menu", {"day": "friday"})
            assert answer.structured_content == {"result": ["friday", "pizza"]}


class Dish(BaseModel):
    name: str


async def test_an_answer_that_is_json_already_is_sent_as_it_is_under_the_schema_it_stands_for() -> None:
    server = Server("lunch", owner="kitchen", support="#lunch")

    @server.tool(policy="everyone", effect="read", minutes_saved=1)
    async def dish() -> Encoded[Dish]:
        """What is cooked today."""
        return Encoded(b'{"name":"pizza"}')

    (declared,) = server.manifest()
    assert declared.output_schema["properties"] == {"name": {"type": "string"}}
    for mode in ("auto", "legacy"):
        async with platform(server, access="everyone") as running, running.client("ann", mode=mode) as client:
            answer = await client.call_tool("dish", {})
            assert answer.structured_content == {"name": "pizza"}
            assert [block.text for block in answer.content] == ['{"name":"pizza"}']
