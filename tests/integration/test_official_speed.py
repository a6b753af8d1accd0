"""2,000 servers with 20,000 tools in a real database: a page of the official list, and the list after a change."""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.official_site import NOW, Listed, version
from tests.rigs.gateway import serving
from tests.web_site import tool

from pierhead.apps.registry.app import build, parts_of
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_registry import RegistryAdapters, RegistrySetting, registry_adapters
from pierhead.core.catalog import Effect, Stage
from pierhead.usecases.ports_catalogue import Change, Entry, Origin
from pierhead.usecases.publish_policy import publish_policy
from pierhead.usecases.wire_forms import Manifest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SERVERS, TOOLS, ASKED = 2_000, 10, 300
PAGE_S, CHANGED_S = 0.020, 2.0
FLEET = """
people:
  alice: {groups: [a]}
servers:
  seed:
    kind: stdio
    command: [mcp-server-time]
    owner: a
    support: b
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
"""
DOCUMENT: Any = {
    "kind": "stdio",
    "command": ["mcp-server-time"],
    "owner": "a",
    "support": "b",
    "description": "Runs, tasks and logs of the data pipelines of one of the many teams that have some.",
    "access": "everyone",
    "tools": {
        f"tool_{number}": {"policy": "everyone", "effect": "read", "minutes_saved": 1} for number in range(TOOLS)
    },
}


async def fill(adapters: RegistryAdapters) -> None:
    """All of it as registered and deployed, under one new policy."""
    tools = tuple(
        tool(f"tool_{number}", "everyone", Effect.READ, 2, "What it does, in a sentence.") for number in range(TOOLS)
    )
    names = [f"server-{number:04}" for number in range(SERVERS)]
    entries = tuple(Entry(name, DOCUMENT, Origin.REGISTERED, "alice", NOW, "1.0.0", lock=0) for name in names)
    kept = version(Listed("", "1.0.0", Stage.DEPLOYED))
    versions = tuple(
        replace(
            kept,
            server=name,
            manifest=Manifest("1.0.0", "", "http://127.0.0.1:1/mcp", tools),
            binding=replace(kept.binding, server=name),
            document=DOCUMENT,
            lock=0,
        )
        for name in names
    )
    await adapters.catalogue.change(Change((), entries=entries, versions=versions), NOW)
    await publish_policy(adapters.registry.source, "alice")


async def times(http: httpx2.AsyncClient, urls: list[str]) -> list[float]:
    found: list[float] = []
    for number in range(ASKED):
        began = time.perf_counter()
        answer = await http.get(urls[number % len(urls)])
        found.append(time.perf_counter() - began)
        assert answer.status_code == 200
    return sorted(found)


def test_a_page_of_two_thousand_servers_takes_milliseconds(tmp_path: Path) -> None:
    async def story() -> None:
        keys, path = Keys.at(tmp_path), tmp_path / "fleet.yaml"
        path.write_text(FLEET)
        fleet = fleet_file.load(path, tmp_path)
        keys.ensure(tuple(fleet.servers))
        async with AsyncExitStack() as opened:
            setting = RegistrySetting(tmp_path, fleet, "http://127.0.0.1:8420", "ide", "local")
            adapters = await registry_adapters(setting, opened)
            await fill(adapters)
            async with serving(build(parts_of(adapters))) as url, httpx2.AsyncClient(timeout=60) as http:
                began = time.perf_counter()
                page = (await http.get(f"{url}/v0.1/servers?limit=100&version=latest")).json()
                print(f"first list {time.perf_counter() - began:.2f} s")
                cursor = page["metadata"]["nextCursor"]
                assert page["metadata"]["count"] == 100
                lists = f"{url}/v0.1/servers"
                urls = [
                    f"{lists}?limit=100&version=latest",
                    f"{lists}?limit=50&version=latest&cursor={cursor}",
                    f"{lists}?search=server-19",
                    f"{lists}/local.pierhead%2Fserver-1999/versions/latest",
                ]
                found = min([await times(http, urls) for _ in range(3)], key=lambda each: each[int(ASKED * 0.95)])
                p95 = found[int(ASKED * 0.95)]
                print(f"page p95 {p95 * 1000:.2f} ms, median {statistics.median(found) * 1000:.2f} ms")
                (kept,) = await adapters.catalogue.versions("server-1000")
                change = Change((), versions=(replace(kept, stage=Stage.SUSPENDED),))
                await adapters.catalogue.change(change, NOW)
                await publish_policy(adapters.registry.source, "alice", ("server-1000",))
                began = time.perf_counter()
                gone = await http.get(f"{lists}/local.pierhead%2Fserver-1000/versions/latest")
                changed = time.perf_counter() - began
                print(f"list after a change {changed * 1000:.0f} ms")
                assert gone.status_code == 404
                assert changed < CHANGED_S
                assert p95 < PAGE_S

    asyncio.run(story())
