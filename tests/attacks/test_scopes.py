"""Tokens that are good for less than their person may do, before a real gateway and a real server on loopback."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.rigs.gateway import MASTER, Rig, WallClock, gateway, headers, message, serving, tool
from tests.rigs.mesh import STRANGER, TRIAGE, mesh

from pierhead import Server
from pierhead.adapters.assertion import Verifier, server_key
from pierhead.bootstrap.sign_in_settings import ProgramSettings, SignInSettings
from pierhead.core.audit import CallRefused, CallStarted
from pierhead.core.catalog import Effect, Stage
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.sdk.governance import govern
from pierhead.sdk.host import host
from pierhead.sdk.routes import Calls, Done, Prepared, Reply, Request
from pierhead.usecases.memory import MemoryAudit, MemorySnapshots, NoApprovals, snapshot_of

pytestmark = pytest.mark.anyio

OPEN = (Row("warehouse", parse_who("everyone"), EVERY, EVERY, EVERY),)
TOOLS = (
    tool("look"),
    tool("drop", effect=Effect.WRITE),
    replace(tool("secret", effect=Effect.WRITE), policy=parse_who("group:legal")),
)


class Shelf:
    """Routes of the server: a GET looks, everything else drops."""

    async def answer(self, request: Request, calls: Calls) -> Reply | None:
        async def body() -> Done:
            return Done(None, 0)

        await calls.run("look" if request.method == "GET" else "drop", lambda: Prepared({}, 0, body))
        return Reply(200, [], b"done")


def warehouse(ran: list[str]) -> Server:
    server = Server("warehouse", owner="data-platform", support="#data-help", version="1")
    server.routes = Shelf()

    @server.tool(policy="everyone", effect="read", minutes_saved=1)
    async def look() -> str:
        """Look."""
        ran.append("look")
        return "seen"

    @server.tool(policy="everyone", effect="write", minutes_saved=1)
    async def drop() -> str:
        """Drop."""
        ran.append("drop")
        return "gone"

    @server.tool(policy="group:legal", effect="write", minutes_saved=1)
    async def secret() -> str:
        """Nobody here may know."""
        ran.append("secret")
        return "told"

    return server


@asynccontextmanager
async def shop() -> AsyncGenerator[tuple[Rig, list[str], MemoryAudit]]:
    ran: list[str] = []
    server, clock, audit = warehouse(ran), WallClock(), MemoryAudit()
    snapshots = MemorySnapshots(snapshot_of([server.listed(Stage.DEPLOYED, "http://127.0.0.1:1")], OPEN))
    governance = govern("warehouse", server.tools, snapshots, NoApprovals(), audit, clock)
    app = host(server, governance, Verifier(server_key(MASTER, "warehouse"), "warehouse", clock))
    async with serving(app) as address, gateway(f"{address}/mcp", *TOOLS, rows=OPEN) as rig:
        yield rig, ran, audit


def metadata(rig: Rig, place: str = "/mcp/warehouse") -> str:
    return f'Bearer resource_metadata="{rig.url}/.well-known/oauth-protected-resource{place}"'


async def test_a_token_to_read_calls_what_reads_and_is_told_what_the_rest_needs() -> None:
    async with shop() as (rig, ran, _):
        token = rig.token(scope="warehouse.read")
        assert (await rig.call("look", token=token)).status_code == 200
        refused = await rig.call("drop", token=token)
        needed = 'scope="warehouse.read warehouse.write"'
        assert refused.status_code == 403
        assert refused.headers["www-authenticate"] == f'{metadata(rig)}, {needed}, error="insufficient_scope"'
        assert refused.json()["error"]["data"]["code"] == "insufficient-scope"
        assert ran == ["look"]
        last = rig.audit.facts[-1]
        assert isinstance(last, CallRefused)
        assert (last.code, last.tool, last.actor.person) == ("insufficient-scope", "drop", "alice")
        more = rig.token(scope="warehouse.read warehouse.write")
        assert (await rig.call("drop", token=more)).status_code == 200
        assert ran == ["look", "drop"]


async def test_a_step_up_reveals_no_hidden_tool() -> None:
    async with shop() as (rig, ran, _):
        for scope in ("warehouse.read", "warehouse.write", "mcp", "other.read", ...):
            token = rig.token(scope=scope)
            hidden, absent = await rig.call("secret", token=token), await rig.call("absent", token=token)
            assert hidden.status_code == absent.status_code == 400
            assert "www-authenticate" not in hidden.headers
            assert hidden.json()["error"]["code"] == absent.json()["error"]["code"]
            assert hidden.json()["error"]["message"].replace("secret", "absent") == absent.json()["error"]["message"]
        assert ran == []


async def test_who_may_not_reach_the_server_is_told_of_no_scope() -> None:
    rows = (Row("warehouse", parse_who("group:legal"), EVERY, EVERY, EVERY),)
    async with gateway("http://127.0.0.1:1/mcp", *TOOLS, rows=rows) as rig:
        for name in ("look", "drop"):
            refused = await rig.call(name, token=rig.token(scope="other.read"))
            assert refused.json()["error"]["data"]["code"] == "cannot-reach"
            assert "www-authenticate" not in refused.headers


WORTHLESS: dict[str, Any] = {
    "none": ...,
    "an empty text": "",
    "of another server": "payroll.read payroll.write",
    "of the registry": "registry:read registry:write registry:admin",
    "words that look alike": "warehouse warehouse. .read read warehouse:read WAREHOUSE.READ warehouse.* MCP mcp. mcp.*",
    "a list, as no issuer of ours writes it": ["warehouse.read", "mcp"],
    "an object": {"mcp": True},
    "with commas": "warehouse.read,warehouse.write,mcp",
}


@pytest.mark.parametrize("scope", WORTHLESS.values(), ids=WORTHLESS.keys())
async def test_a_token_without_a_scope_of_this_server_calls_nothing_and_still_sees_all(scope: Any) -> None:
    async with shop() as (rig, ran, _):
        token = rig.token(scope=scope)
        for name in ("look", "drop"):
            refused = await rig.call(name, token=token)
            assert (refused.status_code, ran) == (403, []), name
            assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
        listed = await rig.post(message("tools/list"), method="tools/list", token=token)
        assert [each["name"] for each in listed.json()["result"]["tools"]] == ["look", "drop"]


async def test_the_second_claim_for_scopes_counts_no_more_than_the_first() -> None:
    async with shop() as (rig, ran, _):
        token = rig.token(scope="warehouse.read warehouse.read", scp="payroll.write")
        assert (await rig.call("drop", token=token)).status_code == 403
        assert ran == []


@pytest.mark.parametrize("method", ["resources/read", "prompts/get", "completion/complete"])
async def test_content_that_leaves_by_other_methods_needs_the_scope_to_read(method: str) -> None:
    params = {"resources/read": {"uri": "a://b"}, "prompts/get": {"name": "p"}}.get(method, {})
    name = next(iter(params.values()), "")
    async with shop() as (rig, _, _):
        token = rig.token(scope="warehouse.write")
        refused = await rig.post(message(method, params), method=method, name=name, token=token)
        assert refused.status_code == 403
        assert 'scope="warehouse.read warehouse.write"' in refused.headers["www-authenticate"]
        assert not any(isinstance(fact, CallStarted) for fact in rig.audit.facts)
        passed = await rig.post(message(method, params), method=method, name=name, token=rig.token())
        assert passed.status_code != 403


async def asked(rig: Rig, scope: str, name: str, server: str = "warehouse") -> httpx2.Response:
    """One call at the front desk."""
    params = {"name": "call_tool", "arguments": {"server": server, "tool": name}}
    token = rig.token(aud=f"{rig.url}/mcp", scope=scope)
    sent = headers("tools/call", "call_tool", authorization=f"Bearer {token}")
    return await rig.client.post(f"{rig.url}/mcp", content=message("tools/call", params), headers=sent)


@pytest.mark.parametrize("scope", ["warehouse.read", "mcp.read"])
async def test_the_front_desk_holds_a_token_back_as_the_server_itself_does(scope: str) -> None:
    async with shop() as (rig, ran, _):
        assert (await asked(rig, scope, "look")).status_code == 200
        refused = await asked(rig, scope, "drop")
        words = " ".join(sorted({scope, "warehouse.read", "warehouse.write"}))
        told = f'{metadata(rig, "/mcp")}, scope="{words}", error="insufficient_scope"'
        assert (refused.status_code, refused.headers["www-authenticate"], ran) == (403, told, ["look"])
        assert (await asked(rig, "payroll.read", "look")).status_code == 403
        hidden, absent = await asked(rig, scope, "secret"), await asked(rig, scope, "absent")
        assert hidden.json()["error"]["message"].replace("secret", "absent") == absent.json()["error"]["message"]
        assert (await asked(rig, f"{scope} mcp.write", "drop")).status_code == 200


async def test_routes_of_a_server_ask_for_the_scope_of_the_tool_that_they_stand_for() -> None:
    async with shop() as (rig, _, audit):
        place = f"{rig.url}/data/warehouse/api/v1/orders"
        sent = {"authorization": f"Bearer {rig.token(scope='warehouse.read')}"}
        assert (await rig.client.get(place, headers=sent)).status_code == 200
        for verb in ("POST", "PATCH", "PUT", "DELETE"):
            refused = await rig.client.request(verb, place, headers=sent)
            assert (refused.status_code, refused.json()["code"]) == (403, "insufficient-scope"), verb
            needed = 'scope="warehouse.read warehouse.write", error="insufficient_scope"'
            assert refused.headers["www-authenticate"] == f"{metadata(rig)}, {needed}"
            last = audit.facts[-1]
            assert isinstance(last, CallRefused)
            assert (last.code, last.tool) == ("insufficient-scope", "drop")
        more = {"authorization": f"Bearer {rig.token(scope='warehouse.write')}"}
        assert (await rig.client.post(place, headers=more)).status_code == 200
        assert (await rig.client.get(place, headers=more)).status_code == 403


async def test_a_server_cannot_send_clients_elsewhere_for_a_token() -> None:
    evil = 'Bearer error="insufficient_scope", scope="x", resource_metadata="https://evil.example"'

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started = [(b"www-authenticate", evil.encode()), (b"content-type", b"application/problem+json")]
        await send({"type": "http.response.start", "status": 403, "headers": started})
        await send({"type": "http.response.body", "body": b"{}"})

    async with serving(app) as address, gateway(f"{address}/mcp", *TOOLS, rows=OPEN) as rig:
        sent = {"authorization": f"Bearer {rig.token()}"}
        refused = await rig.client.get(f"{rig.url}/data/warehouse/api/v1/orders", headers=sent)
        assert (refused.status_code, "www-authenticate" in refused.headers) == (403, False)


ROBOT = "spiffe://corp.example/job/nightly"


def programs_token(rig: Rig, **changes: Any) -> str:
    """What the registry gives a program (`usecases/grant_to_programs`), changed."""
    return rig.token(**{"sub": "nightly", "client_id": "nightly", "wl": ROBOT, "groups": ..., **changes})


@asynccontextmanager
async def staffed() -> AsyncGenerator[Rig]:
    """A gateway that knows one program, before a server that is open to it and to people of one group."""
    given = ProgramSettings(workload=ROBOT, secret_sha256="0" * 64, surface="agent")
    sign_in = SignInSettings(programs={"nightly": given})  # pyright: ignore[reportCallIssue]
    who = parse_who(f"group:data-eng or workload:{ROBOT}")
    rows = (Row("warehouse", who, EVERY, EVERY, EVERY),)
    seen = [replace(each, policy=who) for each in TOOLS]
    async with serving(speaking) as address, gateway(f"{address}/mcp", *seen, rows=rows, sign_in=sign_in) as rig:
        yield rig


async def speaking(scope: Any, receive: Any, send: Any) -> None:
    """A server that answers whatever reaches it."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"jsonrpc":"2.0","id":1,"result":{}}'})


async def test_a_program_with_a_token_is_its_workload_and_nobody_else() -> None:
    async with staffed() as rig:
        assert (await rig.call("look", token=programs_token(rig))).status_code == 200
        started = next(fact for fact in rig.audit.facts if isinstance(fact, CallStarted))
        assert (started.actor.person, started.actor.workload) == ("", ROBOT)


FORGED: dict[str, dict[str, Any]] = {
    "a workload that nobody registered": {"wl": "spiffe://corp.example/job/other"},
    "no SPIFFE ID": {"wl": "nightly"},
    "an empty workload": {"wl": ""},
    "a workload that is a list": {"wl": [ROBOT]},
    "another server": {"aud": "https://mcp.example/mcp/warehouse"},
}


@pytest.mark.parametrize("changes", FORGED.values(), ids=FORGED.keys())
async def test_a_programs_token_that_is_changed_is_nobodys(changes: dict[str, Any]) -> None:
    async with staffed() as rig:
        assert (await rig.call("look", token=programs_token(rig, **changes))).status_code == 401


async def test_groups_in_a_programs_token_open_nothing() -> None:
    async with staffed() as rig:
        everywhere = replace(rig.snapshots.current(), rows={"warehouse": (GROUP_ALONE,)})
        rig.snapshots.snapshot = everywhere
        refused = await rig.call("look", token=programs_token(rig, groups=["data-eng"]))
        assert refused.json()["error"]["data"]["code"] == "cannot-reach"


GROUP_ALONE = Row("warehouse", parse_who("group:data-eng"), EVERY, EVERY, EVERY)


async def test_a_workload_that_exchanged_its_svid_stands_where_its_svids_do(tmp_path: Path) -> None:
    rows = (Row("warehouse", parse_who(f"workload:{TRIAGE}"), EVERY, frozenset({"production"}), EVERY),)
    seen = [replace(each, policy=parse_who(f"workload:{TRIAGE}")) for each in TOOLS]
    async with (
        serving(speaking) as address,
        gateway(f"{address}/mcp", *seen, rows=rows, mesh=mesh(tmp_path)) as rig,
    ):
        exchanged = programs_token(rig, sub=TRIAGE[9:], client_id=TRIAGE[9:], wl=TRIAGE)
        assert (await rig.call("look", token=exchanged)).status_code == 200
        started = next(fact for fact in rig.audit.facts if isinstance(fact, CallStarted))
        assert (started.actor.workload, started.actor.environment) == (TRIAGE, "production")
        stranger = programs_token(rig, sub=STRANGER[9:], client_id=STRANGER[9:], wl=STRANGER)
        assert (await rig.call("look", token=stranger)).status_code == 401
