"""`pierhead dev`: what its page shows and does, what it refuses, and how it follows the code."""

import re
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from pierhead.apps.cli.dev import _speaker, application, dev  # pyright: ignore[reportPrivateUsage] - what a flag means
from pierhead.apps.cli.dev_state import Development, stand_in
from pierhead.bootstrap.projects import project_in
from pierhead.core.errors import Misconfigured
from pierhead.sdk.testing import lifespan
from pierhead.testing import Identity
from pierhead.testing.transport import StreamingTransport

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:8425"
SERVER = """
from pierhead import Server

server = Server("shelf", owner="o", support="#s", version="1.2.0", description="Books of ours")


@server.tool(policy="group:staff", effect="read", minutes_saved=1, examples=[{"number": 1}, {"number": 2}])
def look(number: int) -> str:
    \"\"\"Look at one of the books.\"\"\"
    return f"book {number}"


@server.tool(policy="group:staff", effect="destructive", minutes_saved=1, examples=[{"number": 1}, {"number": 2}])
def burn(number: int) -> str:
    \"\"\"Burn one of the books.\"\"\"
    return f"burnt {number}"
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def now(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Development]:
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (tmp_path / "pyproject.toml").write_text('[tool.pierhead]\nserver = "dev_shelf:server"\n')
    (tmp_path / "dev_shelf.py").write_text(SERVER)
    yield Development.of(project_in(tmp_path), said.append)
    sys.modules.pop("dev_shelf", None)


class Browser:
    def __init__(self, now: Development) -> None:
        transport = httpx2.ASGITransport(application(now, URL))
        self.client = httpx2.AsyncClient(transport=transport, base_url=URL)
        self.typed = {"user": "alice", "groups": "staff", "workload": "", "era": "2026-07-28"}

    async def page(self) -> str:
        answer = await self.client.get("/")
        assert answer.status_code == 200, answer.text
        found = re.search(r'name="token" value="([^"]+)"', answer.text)
        assert found is not None
        self.typed["token"] = found[1]
        return answer.text

    async def send(self, path: str, **typed: str) -> httpx2.Response:
        await self.page()
        return await self.client.post(path, data={**self.typed, **typed}, headers={"origin": URL})


async def test_the_page_shows_every_tool_with_an_example(now: Development) -> None:
    text = await Browser(now).page()
    for word in ("shelf", "1.2.0", "Look at one of the books.", "group:staff", "&#34;number&#34;: 1", "Burn"):
        assert word in text
    assert "<script" not in text


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25", "both"])
async def test_a_call_shows_its_envelope_and_its_record(now: Development, era: str) -> None:
    answer = await Browser(now).send("/call", tool="look", arguments='{"number": 7}', era=era)
    assert "book 7" in answer.text
    assert "call-finished" in answer.text
    assert ("Both revisions answer alike." in answer.text) is (era == "both")
    assert "Would be refused" not in answer.text


async def test_what_policy_would_refuse_is_said_loudly_and_runs_as_somebody_who_may(
    now: Development, said: list[str]
) -> None:
    answer = await Browser(now).send("/call", tool="look", arguments='{"number": 7}', groups="")
    assert "Would be refused." in answer.text
    assert "alice would be refused: look is for group:staff. Called as if they had staff" in answer.text
    assert "book 7" in answer.text
    assert said == ["WARNING: alice would be refused: look is for group:staff"]
    assert [fact.kind for fact in now.bench.audit.facts] == ["call-refused", "call-started", "call-finished"]


async def test_approvals_are_answered_on_the_page(now: Development) -> None:
    browser = Browser(now)
    waiting = await browser.send("/call", tool="burn", arguments='{"number": 1}')
    assert "Waiting for people" in waiting.text
    for verdict, tried in (("approve", "burnt 1"), ("deny", "denied")):
        (record,) = [each for each in now.bench.people.asked if each.state == "pending"]
        await browser.send("/answer", approval=record.id, verdict=verdict)
        done = await browser.send("/call", tool="burn", arguments='{"number": 1}')
        assert tried in done.text
        await browser.send("/call", tool="burn", arguments='{"number": 1}')


async def test_only_our_own_forms_under_our_own_name_do_anything(now: Development) -> None:
    browser = Browser(now)
    await browser.page()
    call = {**browser.typed, "tool": "look", "arguments": '{"number": 1}'}
    for data, headers in (
        ({**call, "token": "x"}, {"origin": URL}),
        (call, {"origin": "http://evil.example"}),
        (call, {}),
        (call, {"origin": "http://evil.example:8425", "host": "evil.example:8425"}),
    ):
        assert (await browser.client.post("/call", data=data, headers=headers)).status_code in {403, 421}
    assert (await browser.client.get("/", headers={"host": "evil.example"})).status_code == 421
    assert now.bench.audit.facts == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [({"arguments": "{"}, "no JSON"), ({"arguments": "[1]"}, "no object"), ({"user": "", "arguments": "{}"}, "nobody")],
)
async def test_what_cannot_be_called_is_said(now: Development, typed: dict[str, str], told: str) -> None:
    answer = await Browser(now).send("/call", tool="look", **typed)
    assert (answer.status_code, told in answer.text) == (400, True)


async def test_saved_code_is_loaded_and_the_record_goes_on(now: Development, said: list[str]) -> None:
    browser = Browser(now)
    await browser.send("/call", tool="burn", arguments='{"number": 1}')
    file = now.project.folder / "dev_shelf.py"
    file.write_text(SERVER.replace("book {number}", "tome {number}"))
    now.look()
    assert "tome 3" in (await browser.send("/call", tool="look", arguments='{"number": 3}')).text
    assert len(now.bench.people.asked) == 1
    file.write_text("this is no Python")
    now.look()
    now.look()
    broken = await browser.send("/call", tool="look", arguments='{"number": 4}')
    assert "Not loaded." in broken.text
    assert "tome 4" in broken.text
    file.write_text(SERVER)
    now.look()
    assert "book 5" in (await browser.send("/call", tool="look", arguments='{"number": 5}')).text
    assert [line.partition(":")[0] for line in said] == ["loaded again", "not loaded", "loaded again"]


@pytest.fixture
async def ai_client(now: Development, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[httpx2.AsyncClient]:
    """HTTP to the inspector's address, its code followed as a running one follows it."""
    monkeypatch.setattr("pierhead.apps.cli.dev_state._LOOK_S", 0.001)
    door = application(now, URL)
    async with lifespan(door), anyio.create_task_group() as tasks:
        while now.door is None:
            await anyio.lowlevel.checkpoint()
        async with httpx2.AsyncClient(transport=StreamingTransport(door, tasks), base_url=URL) as client:
            yield client
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_an_ai_client_calls_as_the_person_of_the_page(
    now: Development, said: list[str], ai_client: httpx2.AsyncClient, mode: str
) -> None:
    now.speaker = Identity("carol", frozenset({"staff"}))
    async with Client(streamable_http_client(f"{URL}/mcp", http_client=ai_client), mode=mode) as client:
        assert {"look", "burn"} <= {tool.name for tool in (await client.list_tools()).tools}
        answer = await client.call_tool("look", {"number": 3})
        assert answer.structured_content == {"result": "book 3"}
        assert said == []
        now.speaker = Identity("carol")
        assert not (await client.call_tool("look", {"number": 3})).is_error
    assert said == ["WARNING: carol would be refused: look is for group:staff"]
    assert "carol" in str(now.bench.audit.facts[-2])


async def test_an_ai_client_meets_the_code_of_now(now: Development, ai_client: httpx2.AsyncClient) -> None:
    (now.project.folder / "dev_shelf.py").write_text(SERVER.replace("book {number}", "tome {number}"))
    bench = now.bench
    while now.bench is bench or now.door is None:
        await anyio.lowlevel.checkpoint()
    async with Client(streamable_http_client(f"{URL}/mcp", http_client=ai_client), mode="2026-07-28") as client:
        assert (await client.call_tool("look", {"number": 3})).structured_content == {"result": "tome 3"}


async def test_no_page_of_another_name_or_place_reaches_the_door(ai_client: httpx2.AsyncClient) -> None:
    for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
        answer = await ai_client.post("/mcp", content=b"{}", headers={"content-type": "application/json", **headers})
        assert answer.status_code in {403, 421}


async def test_the_page_says_as_whom_clients_call(now: Development) -> None:
    browser = Browser(now)
    assert "AI clients call as" in await browser.page()
    await browser.send("/speaker", user="dora", groups="staff, night")
    assert now.speaker == Identity("dora", frozenset({"staff", "night"}))
    assert (await browser.send("/speaker", user="")).status_code == 400
    assert now.speaker.user == "dora"


def test_the_speaker_has_the_groups_of_the_fleet_file(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    assert _speaker("alice", file) == Identity("alice")
    shelf = "{kind: python, code: 'dev_shelf:server', owner: o, support: '#s', access: everyone}"
    file.write_text(f"people:\n  alice: {{groups: [staff]}}\nservers:\n  shelf: {shelf}\n")
    assert _speaker("alice", file) == Identity("alice", frozenset({"staff"}))
    assert _speaker("bob", file) == Identity("bob")


def test_who_stands_in_has_what_the_policy_asks_for(now: Development) -> None:
    look, _ = now.tools()
    assert stand_in(Identity("bob"), look) == Identity("bob", frozenset({"staff"}))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "dev.example"])  # noqa: S104 - what is refused
def test_it_listens_on_this_machine_alone(host: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        dev(tmp_path, host=host)
    assert refused.value.code == "dev-is-local"
