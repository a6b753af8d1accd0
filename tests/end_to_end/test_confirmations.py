"""A person before their own client confirms there, through the whole platform; an agent's client is asked nothing.

The clients sign in as any does (the built-in sign-in, PKCE, their own client id), and the operator named one of them.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull
from mcp_types import ElicitRequestFormParams, ElicitResult
from tests.components import NodeTools, node_tools
from tests.confirming import Answering, acting, choosing
from tests.running_platform import Up, eventually, up
from tests.signing_in import Kept, Person, provider

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ERAS = ("2026-07-28", "legacy")
EDITOR, ROBOT = "editor", "robot"
FLEET = """
people:
  alice: {groups: [clerks]}
  frank: {groups: [platform-admin]}
servers:
  shop:
    kind: sql
    url: sqlite:///shop.db
    owner: data-platform
    support: "#data-help"
    access: {groups: [clerks]}
    approvers: [platform-admin]
    roles:
      clerk:
        groups: [clerks]
        tables:
          orders: {operations: [read, delete], approval: confirm}
          people: {operations: [read, delete]}
  time:
    kind: stdio
    command: [mcp-server-time, --local-timezone, UTC]
    owner: platform
    support: "#platform-help"
    access: {groups: [clerks]}
    tools:
      get_current_time: {policy: everyone, effect: write, approval: confirm, minutes_saved: 1}
"""

SETTINGS = f"""
[sign_in]
interactive_clients = "{EDITOR}"

[sign_in.clients.{EDITOR}]
name = "An editor"
redirect_uris = ["http://127.0.0.1:9/callback"]

[sign_in.clients.{ROBOT}]
name = "An agent that runs by itself"
redirect_uris = ["http://127.0.0.1:9/callback"]
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A platform whose operator named one client; its clerks confirm for themselves that they delete orders."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "fleet.yaml").write_text(FLEET)
    (folder / "pierhead.toml").write_text(SETTINGS)
    (folder / "data").mkdir()
    with closing(sqlite3.connect(folder / "data" / "shop.db")) as database:
        for table in ("orders", "people"):
            database.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, amount INTEGER)")
            database.executemany(f"INSERT INTO {table} VALUES (?, ?)", [(n, n) for n in range(1, 21)])
        database.commit()
    with up(folder / "data", folder / "fleet.yaml", "--config", str(folder / "pierhead.toml")) as running:
        yield running


def rows(shop: Up) -> int:
    with closing(sqlite3.connect(shop.data / "shop.db")) as database:
        return int(database.execute("SELECT count(*) FROM orders").fetchone()[0])


class Session:
    """One client of alice's, signed in as any of its kind. `asked` are the questions that it was put."""

    def __init__(self, shop: Up, client: str, server: str = "") -> None:
        self.url = shop.mcp(server) if server else f"{shop.url}/mcp"
        self.asked: list[ElicitRequestFormParams] = []
        kept = self.kept = Kept()
        kept.client = OAuthClientInformationFull(
            client_id=client,
            redirect_uris=["http://127.0.0.1:9/callback"],  # pyright: ignore[reportArgumentType]
            token_endpoint_auth_method="none",
        )
        self._auth = provider(self.url, Person(shop.url), kept)

    async def token(self) -> str:
        """What its sign-in gave it, to write also, for a client of another kind."""
        async with self.connected("2026-07-28", acting("cancel")) as client:
            await client.call_tool("approvals_cancel", {"id": "apr_nothing"})
        assert self.kept.tokens is not None
        return self.kept.tokens.access_token

    @asynccontextmanager
    async def connected(self, era: str, answer: Answering) -> AsyncGenerator[Client]:
        async def put(_: Any, params: Any) -> ElicitResult:
            self.asked.append(params)
            return await answer(params)

        async with (
            httpx2.AsyncClient(auth=self._auth, trust_env=False, timeout=60) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=era, elicitation_callback=put) as client,
        ):
            await client.list_tools()  # the client signs in once a request: first to read, then for more
            yield client


def told(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content[0].text
    return result.structured_content or json.loads(result.content[0].text)


def facts_of(shop: Up, approval: str) -> list[dict[str, Any]]:
    facts = [json.loads(line)["record"]["fact"] for line in shop.tell("audit", "export").splitlines()]
    return [fact for fact in facts if approval in (fact.get("approval_id"), fact.get("approval"))]


@pytest.mark.anyio
@pytest.mark.parametrize(("era", "row"), [("2026-07-28", 1), ("legacy", 2)])
async def test_a_person_confirms_in_their_client_and_it_runs_once(shop: Up, era: str, row: int) -> None:
    session, arguments, before = Session(shop, EDITOR, "shop"), {"table": "orders", "filter": f"id = {row}"}, rows(shop)
    async with session.connected(era, choosing("approve")) as client:
        assert told(await client.call_tool("delete_rows", arguments))["affected"] == 1
    assert rows(shop) == before - 1
    (asked,) = session.asked
    assert f'filter: "id = {row}"' in asked.message
    approval = asked.message.splitlines()[-1].partition(",")[0]

    async with session.connected(era, acting("cancel")) as client:
        again = told(await client.call_tool("delete_rows", arguments))
        assert (again["status"], again["approval"]["id"] != approval) == ("approval_required", True)
        cancelled = await client.call_tool("approvals_cancel", {"id": again["approval"]["id"]})
        assert told(cancelled)["status"] == "cancelled"
    assert rows(shop) == before - 1
    eventually(lambda: _is_on_record(shop, approval), "the record of it is with the registry")


def _is_on_record(shop: Up, approval: str) -> bool:
    """Who asked, who was shown what, who decided how, and which call it was spent for: each once."""
    by_kind = {fact["kind"]: fact for fact in facts_of(shop, approval)}
    if not {"approval-shown", "call-started"} <= by_kind.keys():
        return False
    shown, made, spent = by_kind["approval-shown"], by_kind["approval-decided"], by_kind["approval-spent"]
    assert (shown["to"], shown["how"], len(shown["text_digest"])) == ("alice", "form", 64)
    assert (made["by"], made["how"], made["verdict"]) == ("alice", "form", "approve")
    assert shown["digest"] == made["digest"] == spent["digest"] == by_kind["approval-asked"]["digest"]
    assert by_kind["call-started"]["call_id"] == spent["call_id"]
    return True


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_a_guests_tool_is_confirmed_the_same_way(shop: Up, era: str) -> None:
    session = Session(shop, EDITOR, "time")
    async with session.connected(era, choosing("approve")) as client:
        answered = await client.call_tool("get_current_time", {"timezone": "Europe/Berlin"})
        assert "Europe/Berlin" in answered.content[0].text
    assert len(session.asked) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(("era", "row"), [("2026-07-28", 11), ("legacy", 12)])
async def test_elicitation_changes_nothing_where_another_person_has_to_approve(shop: Up, era: str, row: int) -> None:
    session, arguments = Session(shop, EDITOR, "shop"), {"table": "people", "filter": f"id = {row}"}
    async with session.connected(era, choosing("approve")) as client:
        ticket = told(await client.call_tool("delete_rows", arguments))["approval"]["id"]

        async def approve() -> None:
            await anyio.to_thread.run_sync(shop.tell, "approvals", "approve", ticket, "--as", "frank")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(approve)
            waited = told(await client.call_tool("approvals_wait", {"id": ticket}))
        assert waited["status"] == "approved"
        assert told(await client.call_tool("delete_rows", arguments))["affected"] == 1
        assert told(await client.call_tool("approvals_wait", {"id": ticket}))["status"] == "consumed"
        again = told(await client.call_tool("delete_rows", arguments))
        assert (again["status"], again["approval"]["id"] != ticket) == ("approval_required", True)
        await client.call_tool("approvals_cancel", {"id": again["approval"]["id"]})
    assert session.asked == []


@pytest.mark.anyio
@pytest.mark.parametrize(("era", "row"), [("2026-07-28", 15), ("legacy", 16)])
async def test_an_agents_client_that_claims_to_show_forms_gets_the_ticket(shop: Up, era: str, row: int) -> None:
    session, before = Session(shop, ROBOT, "shop"), rows(shop)
    async with session.connected(era, choosing("approve")) as client:
        waits = told(await client.call_tool("delete_rows", {"table": "orders", "filter": f"id = {row}"}))
        assert waits["status"] == "approval_required"
        (mine,) = told(await client.call_tool("approvals_list_mine", {}))["approvals"]
        assert mine["approval"] == waits["approval"]
        await client.call_tool("approvals_cancel", {"id": mine["approval"]["id"]})
    assert (rows(shop), session.asked) == (before, [])


@pytest.mark.anyio
async def test_the_front_desk_asks_in_the_client_too(shop: Up) -> None:
    session, before = Session(shop, EDITOR), rows(shop)
    call = {"server": "shop", "tool": "delete_rows", "arguments": {"table": "orders", "filter": "id = 18"}}
    async with session.connected("2026-07-28", choosing("approve")) as client:
        assert told(await client.call_tool("call_tool", call))["affected"] == 1
    assert (rows(shop), len(session.asked)) == (before - 1, 1)


@pytest.fixture(scope="module")
def node() -> NodeTools:
    return node_tools()


def script(node: NodeTools, name: str, home: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """How to start a client's program, with a home of its own."""
    command = [str(node.node), str(Path(__file__).with_name(name)), str(node.packages), *arguments]
    return command, {**os.environ, "HOME": str(home), "NO_COLOR": "1"}


@dataclass(frozen=True)
class TypeScript:
    """The official TypeScript client, with a home of its own."""

    tools: NodeTools
    home: Path

    def command(self, script: str, *words: str) -> tuple[list[str], dict[str, str]]:
        """How to start one of its programs."""
        command = [str(self.tools.node), str(Path(__file__).with_name(script)), str(self.tools.packages), *words]
        return command, {**os.environ, "HOME": str(self.home), "NO_COLOR": "1"}

    async def asked(self, *words: str) -> dict[str, Any]:
        command, environment = self.command("typescript_asks.mjs", *words)
        done = await anyio.run_process(command, check=False, env=environment, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode()
        return json.loads(done.stdout)


@pytest.fixture
def typescript(tmp_path: Path) -> TypeScript:
    return TypeScript(node_tools(), tmp_path)


@pytest.mark.anyio
@pytest.mark.parametrize(("era", "row"), [("2026-07-28", 4), ("legacy", 5)])
async def test_the_typescript_client_shows_the_form_and_what_is_chosen_runs_once(
    shop: Up, typescript: TypeScript, era: str, row: int
) -> None:
    session, before = Session(shop, EDITOR, "shop"), rows(shop)
    token = await session.token()
    at = (shop.mcp("shop"), token, era, "delete_rows")
    denied = json.dumps({"table": "orders", "filter": f"id = {row}"})
    for choice, questions in (("deny", 1), ("approve", 0)):
        said = await typescript.asked(*at, denied, choice)
        assert (said["called"]["structuredContent"]["status"], len(said["asked"])) == ("denied", questions)
    assert rows(shop) == before
    said = await typescript.asked(*at, json.dumps({"table": "orders", "filter": f"amount = {row}"}), "approve")
    assert (said["called"]["structuredContent"]["affected"], rows(shop)) == (1, before - 1)
    (asked,) = said["asked"]
    assert f'filter: "amount = {row}"' in asked["message"]
    assert [choice["const"] for choice in asked["choices"]] == ["approve", "remember", "deny"]
    approval = asked["message"].splitlines()[-1].partition(",")[0]
    eventually(lambda: _is_on_record(shop, approval), "the record of it is with the registry")


TOKYO, ZURICH = '{"timezone": "Asia/Tokyo"}', '{"timezone": "Europe/Zurich"}'


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("call", "person", "verdict", "answers"),
    [
        ('shop delete_rows {"table": "people", "filter": "id = 7"}', "frank", "approve", '"affected":1'),
        (f"time get_current_time {ZURICH}", "alice", "approve", "Europe/Zurich"),
        (f"time get_current_time {TOKYO}", "alice", "deny", '"status":"denied"'),
    ],
)
async def test_the_extensions_own_client_follows_a_call_that_waits_as_a_task(
    shop: Up, typescript: TypeScript, call: str, person: str, verdict: str, answers: str
) -> None:
    """Through the gateway, to a server of the SDK and to a guest; decided in the shell."""
    server, tool, arguments = call.split(" ", 2)
    words = (shop.mcp(server), await Session(shop, ROBOT, server).token(), tool, arguments)
    command, environment = typescript.command("typescript_follows.mjs", *words)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    view = json.loads(await process.stdout.readline() or b"{}")
    assert view, ((await process.communicate())[1]).decode()
    assert (view["status"], view["suggestedPollIntervalMs"]) == ("working", 15_000)
    approval = view["statusMessage"].rpartition("/")[2]
    await anyio.to_thread.run_sync(shop.tell, "approvals", verdict, approval, "--as", person)
    said, wrong = await process.communicate(b"decided\n")
    assert process.returncode == 0, wrong.decode()
    ended, after = (json.loads(line) for line in said.splitlines())
    assert (ended["status"], after["status"]) == ("completed", "completed")
    assert answers in ended["result"]["content"][0]["text"]
    state = "consumed" if verdict == "approve" else "denied"
    assert state in shop.tell("approvals", "show", approval, "--as", person)
