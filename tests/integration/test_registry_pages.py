"""The pages over the registry's real database: a person signs in, a client gets its token, a call is read."""

import base64
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import orjson
import pytest
from tests.pages import hidden, link

from pierhead.apps.registry.app import build, parts_of
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_registry import RegistrySetting, registry_adapters
from pierhead.core.audit import Actor, CallFinished, CallStarted, Reason
from pierhead.core.chain import START, next_line

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:8420"
DEMO = Path(fleet_file.__file__).parent / "demo" / "fleet.yaml"
REDIRECT = "http://127.0.0.1:5/callback"
VERIFIER = "v" * 43


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser before a registry of the demo fleet."""
    keys, fleet = Keys.at(tmp_path), fleet_file.load(DEMO, tmp_path)
    keys.ensure(tuple(fleet.servers))
    async with AsyncExitStack() as opened:
        setting = RegistrySetting(tmp_path, fleet, URL, "ide", "local")
        application = build(parts_of(await registry_adapters(setting, opened)))
        transport = httpx2.ASGITransport(application)
        async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
            yield client


async def sign_in(http: httpx2.AsyncClient, person: str) -> None:
    page = await http.get("/sign-in")
    form = {"token": hidden(page.text, "token"), "next": "/servers", "person": person}
    await http.post("/sign-in", data=form, headers={"origin": URL})


async def test_a_client_signs_in_against_the_database_and_a_replay_ends_its_family(http: httpx2.AsyncClient) -> None:
    await sign_in(http, "alice")
    wanted = {"redirect_uris": [REDIRECT], "client_name": "Real", "token_endpoint_auth_method": "none"}
    client = (await http.post("/oauth/register", json=wanted)).json()["client_id"]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    question = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": REDIRECT,
        "resource": f"{URL}/mcp/warehouse",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    consent = await http.get("/oauth/authorize", params=question)
    back = await http.get(link(consent.text, "/oauth/continue"))
    code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "client_id": client, "code": code, "redirect_uri": REDIRECT}
    first = await http.post("/oauth/token", data={**form, "code_verifier": VERIFIER})
    token = {"grant_type": "refresh_token", "client_id": client, "refresh_token": first.json()["refresh_token"]}
    refreshed = await http.post("/oauth/token", data=token)
    replayed = await http.post("/oauth/token", data={**form, "code_verifier": VERIFIER})
    after = await http.post("/oauth/token", data={**token, "refresh_token": refreshed.json()["refresh_token"]})

    assert (first.status_code, refreshed.status_code) == (200, 200)
    assert (replayed.json()["error"], after.json()["error"]) == ("invalid_grant", "invalid_grant")


async def test_a_call_is_read_where_it_is_yours_and_counted_for_everyone(
    http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    at_ms = int(time.time()) * 1000
    actor = Actor("alice", "alice", "", ("data-eng",), "ide", "local")
    reason = Reason("permit", "use", "time.get_current_time.policy", "get_current_time is declared for everyone")
    begun = CallStarted("c1", actor, "time", "1", "get_current_time", "read", "", "cli", "d", 2, {}, 1, (reason,), 30.0)
    head, first = next_line(START, at_ms, orjson.dumps(begun))
    _, second = next_line(head, at_ms + 5, orjson.dumps(CallFinished("c1", "ok", "", 3, 5.0)))
    sent = {"writer": "server-time", "records": [first.decode(), second.decode()]}
    key = {"authorization": f"Bearer {Keys.at(tmp_path).read('internal.key').decode()}"}
    assert (await http.post("/internal/v1/facts", json=sent, headers=key)).status_code == 200

    await sign_in(http, "alice")
    audit = (await http.get("/audit.json")).json()
    call = await http.get("/calls/c1")
    impact = (await http.get("/impact.json")).json()
    servers = (await http.get("/servers")).text
    await sign_in(http, "bob")
    anothers = await http.get("/calls/c1.json")
    await sign_in(http, "frank")
    audited = await http.get("/calls/c1.json")

    assert [row["call_id"] for row in audit["calls"]] == ["c1"]
    assert audit["chain"]["broken"] == ""
    assert "time.get_current_time.policy" in call.text
    assert (impact["hours"], impact["active_users"]) == (0.5, 1)
    assert "Two servers." in servers
    assert (anothers.status_code, audited.status_code) == (404, 200)


async def test_every_page_opens_on_an_empty_record(http: httpx2.AsyncClient) -> None:
    await sign_in(http, "alice")
    pages = ["/servers", "/servers/warehouse", "/servers/time", "/audit", "/impact", "/connect", "/-/parts"]
    answers = [await http.get(f"{page}{twin}") for page in pages for twin in ("", ".json")]

    assert {answer.status_code for answer in answers} == {200}
