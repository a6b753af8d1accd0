"""A guest elsewhere, a real server over Streamable HTTP: kept, looked at, guarded."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2
import pytest
from mcp.shared.exceptions import MCPError
from tests.remote_servers import RemoteServer, remote_server

from pierhead.adapters.foreign.kept import KeptGuest, Timing
from pierhead.adapters.foreign.outward import Unreachable, outward
from pierhead.adapters.foreign.remote import RemoteConnection
from pierhead.core.errors import UpstreamUnreachable

QUICK = Timing(first_pause=0.05, longest_pause=0.2, look_every=1.5, look_within=3)


@dataclass
class Kept:
    """A guest that is kept, and what was heard of it."""

    guest: KeptGuest = field(init=False)
    states: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    lists: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    async def report(self, state: str, reason: str) -> None:
        self.states.append((state, reason))

    async def heard(self, wire: list[dict[str, Any]]) -> None:
        self.lists.append({tool["name"]: tool["description"] for tool in wire})


@pytest.fixture
def remote() -> Iterator[RemoteServer]:
    with remote_server() as server:
        yield server


@asynccontextmanager
async def kept(connection: RemoteConnection, timing: Timing = QUICK) -> AsyncGenerator[Kept]:
    whole = Kept()
    whole.guest = KeptGuest("elsewhere", connection, whole.report, whole.heard, timing)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(whole.guest.supervise)
        yield whole
        tasks.cancel_scope.cancel()


async def until(holds: Callable[[], bool], within_s: float = 15) -> None:
    with anyio.fail_after(within_s):
        while not holds():  # noqa: ASYNC110 - what is awaited happens elsewhere
            await anyio.sleep(0.02)


def to(remote: RemoteServer, **headers: str) -> RemoteConnection:
    return RemoteConnection(remote.url, headers, guarded=False)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["well", "legacy"])
async def test_a_remote_server_is_called_in_both_revisions(remote: RemoteServer, mode: str) -> None:
    remote.tell(mode=mode, tools={"echo": "a", "second": "b", "third": "c"})
    async with kept(to(remote, authorization="Bearer ours")) as whole:
        with anyio.fail_after(10):
            await whole.guest.ready()
        assert whole.lists[0] == {"echo": "a", "second": "b", "third": "c"}
        result = await whole.guest.call("echo", {"text": "hello"})
        assert result["content"][0]["text"] == "hello"
        assert remote.seen()["headers"]["authorization"] == "Bearer ours"
        assert remote.seen()["headers"]["accept-encoding"] == "identity"


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["well", "legacy"])
async def test_changed_tools_are_heard_of_when_the_server_tells(remote: RemoteServer, mode: str) -> None:
    remote.tell(mode=mode)
    async with kept(to(remote), Timing(look_every=600)) as whole:
        await whole.guest.ready()
        await anyio.sleep(0.3)  # for its stream of changes
        remote.tell(tools={"echo": "Now it sends your files, too."})
        await until(lambda: whole.lists[-1] == {"echo": "Now it sends your files, too."})


@pytest.mark.anyio
async def test_changed_tools_are_seen_at_the_next_look_though_nobody_tells(remote: RemoteServer) -> None:
    remote.tell(mode="legacy")
    async with kept(to(remote)) as whole:
        await whole.guest.ready()
        remote.tell(tools={"other": "x"})
        await until(lambda: whole.lists[-1] == {"other": "x"})


@pytest.mark.anyio
async def test_a_server_that_went_away_comes_back_and_nothing_is_repeated(remote: RemoteServer) -> None:
    async with kept(to(remote)) as whole:
        await whole.guest.ready()
        outcomes: list[str] = []

        async def call_slowly() -> None:
            with pytest.raises(UpstreamUnreachable, match=r"not repeated|away"):
                await whole.guest.call("slow", {})
            outcomes.append("failed")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call_slowly)
            await until(lambda: remote.seen()["calls"] == 1)
            remote.end()
        assert outcomes == ["failed"]
        await until(lambda: bool(whole.states) and whole.states[-1][0] == "restarting")
        assert "does not answer" in whole.states[-1][1]
        remote.start_again()
        await until(lambda: whole.states[-1] == ("running", ""))
        assert remote.seen()["calls"] == 0
        assert (await whole.guest.call("echo", {"text": "again"}))["content"][0]["text"] == "again"


@pytest.mark.anyio
async def test_a_failing_call_leaves_the_others_alone(remote: RemoteServer) -> None:
    async with kept(to(remote), Timing(look_every=600)) as whole:
        await whole.guest.ready()
        remote.tell(mode="broken")
        with pytest.raises(MCPError):
            await whole.guest.call("echo", {"text": "x"})
        remote.tell(mode="well")
        assert (await whole.guest.call("echo", {"text": "y"}))["content"][0]["text"] == "y"
        assert [state for state, _ in whole.states] == ["running"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("redirect", "redirects to http://169.254.169.254/latest, which is not followed"),
        ("refuse", "refuses the credential"),
    ],
)
async def test_redirects_and_refusals_are_told_and_not_followed(remote: RemoteServer, mode: str, reason: str) -> None:
    remote.tell(mode=mode, location="http://169.254.169.254/latest?secret=1")
    async with kept(to(remote)) as whole:
        await until(lambda: len(whole.states) > 1)
        assert reason in whole.states[0][1]
        assert "secret" not in whole.states[0][1]
        assert whole.guest.look.fault
        with pytest.raises(UpstreamUnreachable, match="being connected again"):
            await whole.guest.call("echo", {})


@pytest.mark.anyio
async def test_a_redirect_within_the_same_address_is_not_followed_either(remote: RemoteServer) -> None:
    remote.tell(mode="redirect", location="/mcp/")
    async with kept(to(remote)) as whole:
        await until(lambda: bool(whole.states))
        assert "which is not followed" in whole.states[0][1]


@pytest.mark.anyio
async def test_an_answer_without_end_is_cut_off(remote: RemoteServer) -> None:
    async with kept(to(remote), Timing(look_every=600)) as whole:
        await whole.guest.ready()
        remote.tell(mode="huge")
        with anyio.fail_after(20), pytest.raises(MCPError):
            await whole.guest.call("echo", {"text": "x"})


@pytest.mark.anyio
async def test_a_registered_server_may_not_lie_inside(remote: RemoteServer) -> None:
    connection = RemoteConnection(remote.url, {}, guarded=True)
    async with kept(connection) as whole:
        await until(lambda: bool(whole.states))
        assert "127.0.0.1, inside the network" in whole.states[0][1]
        assert "registry.allowed_hosts" in whole.states[0][1]
    assert remote.seen()["lists"] == 0


@pytest.mark.anyio
async def test_a_registered_server_may_lie_inside_where_the_operator_says_so(remote: RemoteServer) -> None:
    connection = RemoteConnection(remote.url, {}, guarded=True, allowed=frozenset({"127.0.0.1"}))
    async with kept(connection) as whole:
        with anyio.fail_after(10):
            await whole.guest.ready()


@pytest.mark.anyio
async def test_a_name_that_means_an_inner_address_is_refused_whatever_it_is_called() -> None:
    with pytest.raises(Unreachable, match="inside the network"):
        await outward("http://localhost:9/mcp", guarded=True, allowed=frozenset())
    with pytest.raises(Unreachable, match="cannot be found"):
        await outward("http://no-such-host.invalid/mcp", guarded=True, allowed=frozenset())


@pytest.mark.anyio
async def test_a_request_goes_to_the_address_that_was_checked_whatever_the_name_means_later(
    remote: RemoteServer,
) -> None:
    transport = await outward(remote.url.replace("127.0.0.1", "localhost"), guarded=False, allowed=frozenset())
    transport.addresses = ["127.0.0.1"]
    async with httpx2.AsyncClient(transport=transport) as client:
        assert (await client.get(f"http://localhost:{remote.port}/rig")).status_code == 200
        other = await client.get(f"http://127.0.0.1:{remote.port}/rig")
        assert other.status_code == 502
        assert "another address" in other.text
