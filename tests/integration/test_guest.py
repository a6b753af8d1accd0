"""A guest nobody here wrote, `mcp-server-time`, governed without changing a line of it."""

import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from pierhead.adapters.foreign.kept import KeptGuest
from pierhead.adapters.foreign.stdio import GuestCommand, Limits, StdioConnection
from pierhead.core.catalog import Server, Stage
from pierhead.core.errors import UpstreamUnreachable
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.sdk.authorize import declare
from pierhead.sdk.governance import govern
from pierhead.sdk.guest import GuestTools, guest_front
from pierhead.sdk.host import host_guest
from pierhead.sdk.testing import URL, MemoryVerifier, Running, lifespan
from pierhead.usecases.memory import MemoryAudit, MemoryClock, MemorySnapshots, NoApprovals, snapshot_of

TIME = GuestCommand([sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"], {"ALLOWED": "1"})
DECLARED = {"get_current_time": declare(policy="group:data-eng", effect="read", minutes_saved=1)}


async def unheard(_wire: list[dict[str, Any]]) -> None: ...


@asynccontextmanager
async def living(tmp_path: Path, command: GuestCommand = TIME) -> AsyncGenerator[tuple[KeptGuest, list[str]]]:
    states: list[str] = []

    async def report(state: str, _reason: str) -> None:
        states.append(state)

    with (tmp_path / "time.log").open("w") as log:
        guest = KeptGuest("time", StdioConnection(command, log), report, unheard)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(guest.supervise)
            await guest.ready()
            yield guest, states
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def guarded(guest: KeptGuest) -> AsyncGenerator[Running]:
    tools = GuestTools(DECLARED)
    tools.take(await guest.tools())
    entry = Server(
        name="time",
        version="1",
        kind="stdio",
        stage=Stage.DEPLOYED,
        owner="o",
        support="#s",
        description="",
        upstream=URL,
        tools={name: tool.declared() for name, tool in tools.items()},
    )
    snapshots = MemorySnapshots(snapshot_of([entry], [Row("time", parse_who("everyone"), EVERY, EVERY, EVERY)]))
    audit = MemoryAudit()
    governance = govern("time", tools, snapshots, NoApprovals(), audit, MemoryClock())
    application = host_guest(guest_front("time", "1", tools, guest), tools, governance, MemoryVerifier())
    async with lifespan(application):
        yield Running(application, audit, snapshots)


@pytest.mark.anyio
@pytest.mark.parametrize("era", ["2026-07-28", "legacy"])
async def test_a_guests_tool_runs_under_the_fleets_policy(tmp_path: Path, era: str) -> None:
    async with living(tmp_path) as (guest, _), guarded(guest) as running:
        async with running.client("alice", ["data-eng"], mode=era) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["get_current_time"]
            result = await client.call_tool("get_current_time", {"timezone": "Europe/Berlin"})
            assert "Europe/Berlin" in result.content[0].text
            assert running.audit.kinds() == ["call-started", "call-finished"]
            wrong = await client.call_tool("get_current_time", {"timezone": "UTC", "extra": 1})
            assert wrong.is_error
            assert "bad-arguments" in wrong.content[0].text
        async with running.client("bob", ["ads"], mode=era) as client:
            assert (await client.list_tools()).tools == []
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool("get_current_time", {"timezone": "UTC"})


@pytest.mark.anyio
async def test_a_tool_the_fleet_does_not_name_does_not_exist(tmp_path: Path) -> None:
    async with living(tmp_path) as (guest, _), guarded(guest) as running:
        assert "convert_time" in {tool["name"] for tool in await guest.tools()}
        async with running.client("alice", ["data-eng"]) as client:
            with pytest.raises(MCPError, match="Unknown tool: convert_time"):
                await client.call_tool("convert_time", {})


@pytest.mark.anyio
async def test_a_killed_guest_comes_back_and_repeats_nothing(tmp_path: Path) -> None:
    async with living(tmp_path) as (guest, states):
        os.kill(guest_below(os.getpid()), signal.SIGKILL)
        with anyio.fail_after(20):
            while states != ["running", "restarting", "running"]:  # noqa: ASYNC110 - the report is what is awaited
                await anyio.sleep(0.02)
        assert (await guest.call("get_current_time", {"timezone": "UTC"}))["isError"] is False


@pytest.mark.anyio
async def test_a_guest_that_is_away_says_so(tmp_path: Path) -> None:
    with (tmp_path / "time.log").open("w") as log:
        guest = KeptGuest("time", StdioConnection(TIME, log), report=None, heard=unheard)  # pyright: ignore[reportArgumentType]
        with pytest.raises(UpstreamUnreachable, match="being connected again"):
            await guest.call("get_current_time", {})


@pytest.mark.anyio
async def test_a_guest_sees_only_the_variables_it_was_granted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIERHEAD_SECRET", "s")
    async with living(tmp_path):
        assert variables_of(guest_below(os.getpid())) == {"PATH", "ALLOWED"}


@pytest.mark.anyio
async def test_a_guest_runs_within_its_limits_and_gains_no_rights(tmp_path: Path) -> None:
    command = GuestCommand(TIME.argv, TIME.environment, Limits(memory_mb=512, files=200, file_mb=1))
    async with living(tmp_path, command):
        child = Path(f"/proc/{guest_below(os.getpid())}")
        limits = {line[:25].strip(): line[26:47].strip() for line in (child / "limits").read_text().splitlines()}
        assert limits["Max data size"] == str(512 * 2**20)
        assert limits["Max open files"] == "200"
        assert limits["Max file size"] == str(2**20)
        assert limits["Max core file size"] == "0"
        assert "NoNewPrivs:\t1" in (child / "status").read_text()
        assert "ALLOWED=" not in (child / "cmdline").read_text()


@pytest.mark.anyio
async def test_a_program_that_is_no_longer_the_allowed_one_is_not_started(tmp_path: Path) -> None:
    def changed() -> None:
        raise PermissionError("it is not the file that is allowed")

    reasons: list[str] = []

    async def report(_state: str, reason: str) -> None:
        reasons.append(reason)
        await anyio.sleep_forever()

    with (tmp_path / "time.log").open("w") as log:
        command = GuestCommand(TIME.argv, {}, check=changed)
        guest = KeptGuest("time", StdioConnection(command, log), report, unheard)
        with anyio.move_on_after(1):
            await guest.supervise()
    assert reasons[0].startswith("it is not the file that is allowed")


def guest_below(pid: int) -> int:
    """The pid of the guest that `pid` started; engines of other tests may be its children, too."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    guests = [child for child in children if b"mcp_server_time" in Path(f"/proc/{child}/cmdline").read_bytes()]
    assert len(guests) == 1, children
    return guests[0]


def variables_of(pid: int) -> set[str]:
    """The names in a process's environment."""
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return {entry.partition("=")[0] for entry in entries if entry}
