"""The official list of a real registry over its real database, while a server of its fleet lives."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
from tests.official_shapes import LIST, check
from tests.web_site import tool

from pierhead.apps.registry.app import build, parts_of
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_registry import RegistrySetting, registry_adapters
from pierhead.core.catalog import Effect
from pierhead.core.scope import EVERY
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.wire_forms import Manifest, manifest_to_form

PUBLIC_URL = "http://127.0.0.1:8420"
FLEET = """
people:
  alice: {groups: [data-eng]}
servers:
  clock:
    kind: stdio
    command: [mcp-server-time]
    title: Clock
    description: The time, anywhere.
    owner: data-eng
    support: "#data-help"
    access: everyone
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
  ledger:
    kind: stdio
    command: [mcp-server-time]
    owner: data-eng
    support: "#data-help"
    data_class: confidential
    access: everyone
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
views:
  data: {groups: [data-eng]}
"""
MANIFEST = Manifest("1.4.0", "A clock", "http://127.0.0.1:1/mcp", (tool("now", "everyone", Effect.READ, 1, "Now."),))
CLOCK = "/v0.1/servers/local.pierhead%2Fclock"


def test_a_server_is_listed_once_it_can_be_called_and_marked_when_it_cannot(tmp_path: Path) -> None:
    async def story() -> None:
        keys, path = Keys.at(tmp_path), tmp_path / "fleet.yaml"
        path.write_text(FLEET)
        fleet = fleet_file.load(path, tmp_path)
        keys.ensure(tuple(fleet.servers))
        async with AsyncExitStack() as opened:
            adapters = await registry_adapters(RegistrySetting(tmp_path, fleet, PUBLIC_URL, "ide", "local"), opened)
            application = build(parts_of(adapters))
            token, _ = await issue(Grant("alice", f"{PUBLIC_URL}/r/me", "test", "test", 600, EVERY), adapters.desk)
            transport = httpx2.ASGITransport(application)
            async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:

                async def listed(query: str = "", view: str = "") -> Any:
                    answer = await http.get(f"{view}/v0.1/servers{query}")
                    check(LIST, answer.json())
                    return [f"{each['server']['name']} {_status(each)}" for each in answer.json()["servers"]]

                async def status(wanted: str) -> None:
                    update = {"status": wanted, "statusMessage": "because"}
                    headers = {"authorization": f"Bearer {token}"}
                    answer = await http.patch(f"{CLOCK}/versions/1.4.0/status", json=update, headers=headers)
                    assert answer.status_code == 200, answer.text

                assert await listed() == []
                internal = {"authorization": f"Bearer {keys.read('internal.key').decode()}"}
                for name in ("clock", "ledger"):
                    where = f"/internal/v1/servers/{name}/manifest"
                    sent = await http.post(where, json=manifest_to_form(MANIFEST), headers=internal)
                    assert sent.status_code == 204, sent.text
                assert await listed() == await listed(view="/r/data") == ["local.pierhead/clock active"]
                await status("deprecated")
                assert await listed() == ["local.pierhead/clock deprecated"]
                await status("deleted")
                assert await listed() == []
                assert await listed("?include_deleted=true") == ["local.pierhead/clock deleted"]
                assert (await http.get(f"{CLOCK}/versions/latest")).status_code == 404
                await status("active")
                assert await listed("?version=latest") == ["local.pierhead/clock active"]
                metrics = (await http.get("/internal/metrics")).text
                assert "pierhead_registry_items_dropped_total 0.0" in metrics

    asyncio.run(story())


def _status(each: Any) -> str:
    return str(each["_meta"]["io.modelcontextprotocol.registry/official"]["status"])
