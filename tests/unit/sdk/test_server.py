"""The SDK through its public door: real protocol clients, both revisions, the platform in memory."""

from typing import Annotated

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, Field

from pierhead import Caller, Invalid, Server
from pierhead.core.errors import Misconfigured
from pierhead.sdk.result import untitled
from pierhead.testing import platform

ERAS = ["2026-07-28", "legacy"]


class Count(BaseModel):
    table: str
    n: int


def orders() -> Server:
    server = Server("orders", owner="data-platform", support="#data-help")

    @server.tool(policy="group:data-eng", effect="read", minutes_saved=6)
    async def count_rows(table: str, *, limit: int = 10, caller: Caller) -> Count:
        """Count the rows of one table."""
        if table == "missing":
            raise Invalid("no table 'missing'", hint="list the tables", code="unknown-table")
        return Count(table=f"{table} for {caller.name}", n=limit)

    @server.tool(policy="group:admins", effect="destructive", minutes_saved=1)
    async def drop_table(table: str) -> Count:
        """Drop one table."""
        raise AssertionError(f"ran: {table}")

    @server.tool(policy="group:data-eng", effect="read", minutes_saved=1, timeout=0.05)
    async def sleep_long(seconds: float) -> Count:
        """Sleep."""
        await anyio.sleep(seconds)
        return Count(table="", n=0)

    return server


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_a_permitted_call_runs_and_leaves_its_two_facts(era: str) -> None:
    async with (
        platform(orders(), access="everyone") as running,
        running.client("alice", ["data-eng"], mode=era) as client,
    ):
        result = await client.call_tool("count_rows", {"table": "t"})
        assert result.structured_content == {"table": "t for alice", "n": 10}
        assert running.audit.kinds() == ["call-started", "call-finished"]
        assert running.audit.facts[1].outcome == "ok"


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_a_list_shows_only_what_the_caller_may_use(era: str) -> None:
    async with platform(orders(), access="everyone") as running:
        async with running.client("alice", ["data-eng"], mode=era) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["count_rows", "sleep_long"]
        async with running.client("bob", ["ads"], mode=era) as client:
            assert (await client.list_tools()).tools == []


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", ["drop_table", "absent"])
async def test_a_hidden_tool_and_an_absent_one_read_alike(era: str, name: str) -> None:
    async with (
        platform(orders(), access="everyone") as running,
        running.client("alice", ["data-eng"], mode=era) as client,
    ):
        with pytest.raises(MCPError) as refused:
            await client.call_tool(name, {"nonsense": 1})
        assert refused.value.error.code == -32602
        assert refused.value.error.message == f"Unknown tool: {name}"
        assert running.audit.kinds() == ["call-refused"]


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_a_destructive_tool_waits_for_approval_and_runs_nothing(era: str) -> None:
    async with platform(orders(), access="everyone") as running, running.client("root", ["admins"], mode=era) as client:
        await client.list_tools()
        result = await client.call_tool("drop_table", {"table": "t"})
        assert not result.is_error
        assert result.structured_content["status"] == "approval_required"
        assert running.audit.kinds() == ["call-refused"]


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("arguments", [{"table": 1}, {"table": "t", "limit": "1"}, {"table": "t", "extra": True}, {}])
async def test_arguments_are_taken_strictly_and_faults_are_results(era: str, arguments: dict[str, object]) -> None:
    async with (
        platform(orders(), access="everyone") as running,
        running.client("alice", ["data-eng"], mode=era) as client,
    ):
        result = await client.call_tool("count_rows", arguments)
        assert result.is_error
        assert "bad-arguments" in result.content[0].text
        assert running.audit.kinds() == ["call-refused"]


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_an_authors_error_teaches(era: str) -> None:
    async with (
        platform(orders(), access="everyone") as running,
        running.client("alice", ["data-eng"], mode=era) as client,
    ):
        result = await client.call_tool("count_rows", {"table": "missing"})
        assert result.is_error
        assert '"code":"unknown-table"' in result.content[0].text
        assert running.audit.facts[-1].outcome == "tool_error"


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_outlives_its_time_is_ended_and_recorded(era: str) -> None:
    async with (
        platform(orders(), access="everyone") as running,
        running.client("alice", ["data-eng"], mode=era) as client,
    ):
        result = await client.call_tool("sleep_long", {"seconds": 30})
        assert result.is_error
        assert "tool-timed-out" in result.content[0].text
        assert running.audit.facts[-1].outcome == "timeout"


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_who_may_not_reach_the_server_reads_why_and_whom_to_ask(era: str) -> None:
    async with platform(orders(), access="group:data-eng") as running:
        with pytest.raises((MCPError, ExceptionGroup)) as refused:
            async with running.client("bob", ["ads"], mode=era) as client:
                await client.list_tools()
        told = str(refused.value) if isinstance(refused.value, MCPError) else repr(refused.value)
        assert "group:data-eng" in told


@pytest.mark.anyio
async def test_without_a_record_nothing_runs() -> None:
    async with (
        platform(orders(), access="everyone") as running,
        running.client("alice", ["data-eng"], mode="2026-07-28") as client,
    ):
        running.audit.full = True
        with pytest.raises(MCPError):
            await client.call_tool("count_rows", {"table": "t"})


@pytest.mark.anyio
async def test_a_message_round_the_gateway_is_refused() -> None:
    async with platform(orders(), access="everyone") as running, running.http("alice", []) as http:
        del http.headers["pierhead-assertion"]
        answer = await http.post("http://127.0.0.1:1/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
        assert answer.status_code == 401


def test_a_tool_without_a_readable_policy_does_not_load() -> None:
    server = Server("s", owner="o", support="#s")
    with pytest.raises(Misconfigured, match="cannot read policy"):
        server.tool(policy="anyone", effect="read", minutes_saved=1)
    with pytest.raises(TypeError):
        server.tool(effect="read", minutes_saved=1)  # pyright: ignore[reportCallIssue]


def test_titles_that_nobody_wrote_are_left_out_of_schemas() -> None:
    class Book(BaseModel):
        title: str = "title"
        properties: dict[str, Count] = {}

    shown = untitled(Book.model_json_schema())
    assert set(shown["properties"]) == {"title", "properties"}
    assert shown["properties"]["title"] == {"default": "title", "type": "string"}
    assert set(shown["$defs"]["Count"]) == {"properties", "required", "type"}


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_an_argument_may_be_called_by_a_word_of_pythons_own(era: str) -> None:
    server = Server("orders", owner="data-platform", support="#data-help")

    @server.tool(policy="everyone", effect="read", minutes_saved=1)
    async def compare(with_: Annotated[str, Field(max_length=9)] = "the last", *, caller: Caller) -> str:
        """Compare with another."""
        return f"{caller.name}: {with_}"

    async with platform(server, access="everyone") as running, running.client("ann", [], mode=era) as client:
        [tool] = (await client.list_tools()).tools
        assert list(tool.input_schema["properties"]) == ["with"]
        for arguments, told in (({}, "ann: the last"), ({"with": "x"}, "ann: x")):
            assert (await client.call_tool("compare", arguments)).structured_content == {"result": told}
        for wrong in ({"with_": "x"}, {"with": "of ten letters"}):
            assert (await client.call_tool("compare", wrong)).is_error
