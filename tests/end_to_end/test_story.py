"""The main job on the whole platform: a client signs in by itself, calls a tool on real data, and the call is seen
wherever a person may look for it: pages, their twins, commands, and the figure of time saved.
"""

import base64
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from tests.running_platform import WITHIN_S, Up, call_rows, eventually
from tests.signing_in import Kept, Person, provider

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

FLIGHTS = 336_776
COUNT = "select count(*) as flights from flights"
MODERN, LEGACY = "2026-07-28", "2025-11-25"
TOOLS = [
    "approvals_cancel",
    "approvals_list_mine",
    "approvals_wait",
    "delete_planned_rows",
    "delete_rows",
    "describe_table",
    "explain_query",
    "list_tables",
    "plan_delete_rows",
    "query_table",
    "run_query",
]


class SignedIn:
    """A client of one person at one server, and every request it made to get there."""

    def __init__(self, platform: Up, name: str, server: str) -> None:
        self.url = platform.mcp(server)
        self.person, self.kept = Person(platform.url, name), Kept()
        self.auth = provider(self.url, self.person, self.kept)
        self.seen: list[tuple[int, str, str]] = []

    async def _note(self, response: httpx2.Response) -> None:
        self.seen.append((response.status_code, response.request.method, urlsplit(str(response.request.url)).path))

    @asynccontextmanager
    async def http(self) -> AsyncGenerator[httpx2.AsyncClient]:
        hooks: dict[str, list[Callable[..., Any]]] = {"response": [self._note]}
        async with httpx2.AsyncClient(auth=self.auth, event_hooks=hooks, trust_env=False, timeout=WITHIN_S) as http:
            yield http

    @asynccontextmanager
    async def client(self, mode: str) -> AsyncGenerator[Client]:
        async with self.http() as http, Client(streamable_http_client(self.url, http_client=http), mode=mode) as client:
            yield client


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def first_error(group: BaseException) -> str:
    """What the platform said, inside the client's task groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    assert isinstance(group, MCPError), repr(group)
    return f"{group.error.message} {group.error.data}"


@pytest.mark.parametrize(("mode", "era"), [(MODERN, MODERN), ("legacy", LEGACY)])
async def test_a_client_signs_in_by_itself_and_queries_real_data(platform: Up, mode: str, era: str) -> None:
    alice = SignedIn(platform, "alice", "warehouse")
    async with alice.client(mode) as client:
        assert client.protocol_version == era
        assert sorted(tool.name for tool in (await client.list_tools()).tools) == TOOLS
        answer = await client.call_tool("run_query", {"sql": COUNT})

    assert answer.structured_content
    assert answer.structured_content["rows"] == [[FLIGHTS]]
    assert len(alice.person.questions) == 1
    assert alice.seen[:5] == [
        (401, "POST", "/mcp/warehouse"),
        (200, "GET", "/.well-known/oauth-protected-resource/mcp/warehouse"),
        (200, "GET", "/.well-known/oauth-authorization-server"),
        (201, "POST", "/oauth/register"),
        (200, "POST", "/oauth/token"),
    ]
    assert 401 not in [status for status, _, _ in alice.seen[5:]]
    token = claims(alice.kept.tokens.access_token if alice.kept.tokens else "")
    assert (token["sub"], token["groups"], token["aud"]) == ("alice", ["data-eng"], alice.url)
    assert token["exp"] - token["iat"] <= 900


async def test_a_client_goes_on_when_its_token_has_ended_without_asking_again(platform: Up) -> None:
    alice = SignedIn(platform, "alice", "warehouse")
    async with alice.client(MODERN) as client:
        await client.list_tools()
        first = alice.kept.tokens
        assert first
        assert first.refresh_token
        alice.auth.context.token_expiry_time = 1.0
        await client.call_tool("list_tables", {})

    second = alice.kept.tokens
    assert second
    assert second.access_token != first.access_token
    assert second.refresh_token != first.refresh_token
    assert len(alice.person.questions) == 1


@pytest.mark.parametrize("mode", [MODERN, "legacy"])
async def test_who_is_in_the_wrong_group_reads_why_and_whom_to_ask(platform: Up, mode: str) -> None:
    bob = SignedIn(platform, "bob", "warehouse")
    with pytest.raises((MCPError, ExceptionGroup)) as refused:
        async with bob.client(mode) as client:
            await client.call_tool("list_tables", {})

    said = first_error(refused.value)
    assert "you may not reach server 'warehouse'" in said
    assert "data-eng" in said
    assert "data-platform" in said
    assert "#data-help" in said
    assert 403 in [status for status, _, _ in bob.seen]
    with platform.browsing("bob") as browser:
        refusals = eventually(lambda: call_rows(browser, server="warehouse", decision="refuse"), "bob sees his refusal")
    assert {row["principal"] for row in refusals} == {"bob"}
    assert "cannot-reach" in {row["outcome"] for row in refusals}


async def test_a_token_for_one_server_is_no_token_for_another(platform: Up) -> None:
    alice = SignedIn(platform, "alice", "warehouse")
    async with alice.client(MODERN) as client:
        await client.list_tools()
    assert alice.kept.tokens
    headers = {"authorization": f"Bearer {alice.kept.tokens.access_token}"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
        answer = await http.post(platform.mcp("time"), json={"jsonrpc": "2.0", "id": 1, "method": "ping"})

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert "/.well-known/oauth-protected-resource/mcp/time" in answer.headers["www-authenticate"]


def test_a_call_is_seen_wherever_a_person_looks(platform: Up) -> None:
    with platform.browsing("alice") as browser:
        before = {row["call_id"] for row in call_rows(browser)}
        used = _use_of_run_query(browser)
        sql = f"select name from airlines where carrier = 'AA' limit {len(before) + 1}"
        said = json.loads(platform.tell("call", "warehouse", "run_query", f"sql={sql}", "--as", "alice"))
        assert said["rows"] == [["American Airlines Inc."]]

        row = eventually(lambda: _ended_since(browser, before), "the call is in the record")
        assert (row["tool"], row["decision"], row["outcome"], row["minutes"]) == ("run_query", "permit", "ok", 10.0)
        listed = browser.get("/audit").text
        assert f"/calls/{row['call_id']}" in listed
        assert row["sentence"] in listed
        kept = browser.get(f"/calls/{row['call_id']}.json").json()["facts"]
        page = browser.get(f"/calls/{row['call_id']}").text
        assert _use_of_run_query(browser) == used + 1
        assert "declared minutes" in browser.get("/impact").text

    _check_facts(kept, page)
    assert "American" not in json.dumps(kept)
    assert "AA" not in page
    _check_commands(platform, row["call_id"])


def _ended_since(browser: httpx2.Client, before: set[str]) -> dict[str, Any] | None:
    """The one new call, once the gateway's and the server's facts of it are shipped."""
    fresh = [row for row in call_rows(browser, server="warehouse") if row["call_id"] not in before]
    assert len(fresh) <= 1
    if not fresh or fresh[0]["outcome"] != "ok":
        return None
    kept = browser.get(f"/calls/{fresh[0]['call_id']}.json").json()["facts"]
    return fresh[0] if len(kept) == 4 else None


def _use_of_run_query(browser: httpx2.Client) -> int:
    uses = browser.get("/impact.json").json()["uses"]
    return sum(use["counted"] for use in uses if (use["server"], use["tool"]) == ("warehouse", "run_query"))


def _check_facts(kept: list[dict[str, Any]], page: str) -> None:
    """Both wrote intent and outcome; each named its rules; the page shows every one of them."""
    assert sorted((fact["writer"], fact["fact"]["kind"]) for fact in kept) == [
        ("gateway", "call-finished"),
        ("gateway", "call-started"),
        ("server-warehouse", "call-finished"),
        ("server-warehouse", "call-started"),
    ]
    reasons = [reason for fact in kept for reason in fact["fact"].get("reasons", [])]
    assert {reason["question"] for reason in reasons} == {"reach", "use"}
    for reason in reasons:
        assert reason["rule"] in page


def _check_commands(platform: Up, call_id: str) -> None:
    found = json.loads(platform.tell("audit", "search", "--as", "alice", "--tool", "run_query", "--json"))
    assert call_id in {row["call_id"] for row in found}
    impact = json.loads(platform.tell("impact", "--json"))
    line = next(tool for tool in impact["tools"] if tool["tool"] == "run_query")
    assert (line["server"], line["minutes"]) == ("warehouse", 10.0)
    summed = sum(tool["succeeded"] * tool["minutes"] for tool in impact["tools"]) / 60
    assert impact["hours"] == pytest.approx(summed)
    platform.tell("audit", "verify")
