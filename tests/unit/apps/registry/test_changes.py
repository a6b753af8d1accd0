"""The change feed: what it tells of a new revision, to whom, and when it answers."""

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from tests.openapi_answers import validator
from tests.web_site import PUBLIC_URL, ROWS, SERVERS, build, callers

from pierhead.apps.registry import openapi
from pierhead.apps.registry.api.routes import Api
from pierhead.core.catalog import Server, Stage
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.memory import snapshot_of
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.wire_forms import snapshot_to_form

pytestmark = pytest.mark.anyio
WHOLE = {server.name: server for server in SERVERS}


def revision(number: int, **changed: Server) -> Revision:
    form = snapshot_to_form(snapshot_of({**WHOLE, **changed}.values(), ROWS, revision=number))
    return Revision(number, str(number), json.dumps(form))


@dataclass
class Following:
    """A site whose policy moves, asked by anyone."""

    served: ServedPolicy

    def __post_init__(self) -> None:
        self.served.put(revision(1))
        self.site = replace(build().site, snapshots=self.served, feed=self.served)
        self.app = Starlette(routes=list(Api(callers(self.site)).routes()))

    async def ask(self, path: str, person: str = "alice", **headers: str) -> httpx2.Response:
        token, _ = await issue(Grant(person, f"{PUBLIC_URL}/api/v1", "p", "f", 600), self.site.tokens)
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
            return await client.get(f"/api/v1/changes{path}", headers={**headers, "authorization": f"Bearer {token}"})

    async def told(self, path: str, person: str = "alice") -> Any:
        answer = await self.ask(path, person)
        validator(openapi.document(PUBLIC_URL), "GET /api/v1/changes", answer.status_code).validate(answer.json())
        return answer.json()

    def move(self, number: int, name: str, **changes: Any) -> None:
        self.served.put(revision(number, **{name: replace(WHOLE[name], **changes)}))


@pytest.fixture
def following() -> Following:
    return Following(ServedPolicy())


async def test_whoever_begins_is_told_to_read_everything(following: Following) -> None:
    assert await following.told("") == {"revision": 1, "servers": None}


async def test_the_servers_of_every_revision_since_are_named_once(following: Following) -> None:
    following.move(2, "warehouse", description="Changed.")
    following.move(3, "time", version="2")

    assert await following.told("?after=1") == {"revision": 3, "servers": ["time", "warehouse"]}
    assert await following.told("?after=2") == {"revision": 3, "servers": ["time", "warehouse"]}, "3 undid 2"
    assert await following.told("?after=3") == {"revision": 3, "servers": []}
    assert await following.told("?after=4") == {"revision": 3, "servers": None}


async def test_a_waiting_program_is_answered_when_something_changes(following: Following) -> None:
    waiting = asyncio.create_task(following.told("?after=1&wait_s=30"))
    await asyncio.wait({waiting}, timeout=0.05)
    assert not waiting.done()
    following.move(2, "warehouse", stage=Stage.SUSPENDED)

    assert await asyncio.wait_for(waiting, 5) == {"revision": 2, "servers": ["warehouse"]}


async def test_a_program_that_stops_lets_everyone_go(following: Following) -> None:
    waiting = asyncio.create_task(following.told("?after=1&wait_s=30"))
    await asyncio.wait({waiting}, timeout=0.05)
    following.served.let_go()

    assert await asyncio.wait_for(waiting, 5) == {"revision": 1, "servers": []}


async def test_a_server_that_was_never_live_is_named_to_auditors_alone(following: Following) -> None:
    following.move(2, "spark", description="Changed.")

    assert (await following.told("?after=1"))["servers"] == []
    assert (await following.told("?after=1", "carol"))["servers"] == ["spark"]


async def test_a_change_of_access_alone_is_a_change(following: Following) -> None:
    snapshot = replace(following.served.current(), revision=2, rows={})
    following.served.put(Revision(2, "2", json.dumps(snapshot_to_form(snapshot))))

    assert (await following.told("?after=1"))["servers"] == ["airflow", "presto", "time", "warehouse"]


@pytest.mark.parametrize("query", ["?after=-1", "?after=x", "?wait_s=31", "?wait_s=1.5", "?after=²", "?since=1"])
async def test_what_cannot_be_waited_for_is_refused(following: Following, query: str) -> None:
    assert (await following.ask(query)).status_code == 400


async def test_the_stream_tells_each_change_and_goes_on_where_a_client_left(following: Following) -> None:
    following.move(2, "warehouse", description="Changed.")
    listening = asyncio.create_task(following.ask("/stream", **{"last-event-id": "1"}))
    await asyncio.wait({listening}, timeout=0.05)
    following.move(3, "time", version="2")
    await asyncio.wait({listening}, timeout=0.05)
    following.served.let_go()
    answer = await asyncio.wait_for(listening, 5)
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data")]

    assert answer.headers["content-type"] == "text/event-stream"
    assert [(each["revision"], each["servers"]) for each in events] == [(2, ["warehouse"]), (3, ["time", "warehouse"])]
    assert [line for line in answer.text.splitlines() if line.startswith("id")] == ["id: 2", "id: 3"]


async def test_the_stream_is_refused_like_everything_else(following: Following) -> None:
    transport = httpx2.ASGITransport(app=following.app)
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
        assert (await client.get("/api/v1/changes/stream")).status_code == 401
    assert (await following.ask("/stream?after=x")).status_code == 400
