"""How long the catalogue's page takes over a registry of 2,000 servers with 20,000 tools, on SQLite.

The real registry, its database and its pages in this process, a person signed in; no socket between, which costs the
same for every page. `first` is the first look after a policy change, when nothing is remembered. 40 servers are still
on their way, and 100,000 calls of the last month are on record.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Final

import httpx2
from sqlalchemy import insert

from bench.policy import percentile
from bench.results import Results, Target
from pierhead.adapters.db.schema import CALLS
from pierhead.apps.registry.app import build, parts_of
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_registry import RegistryAdapters, RegistrySetting, registry_adapters
from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Stage, Tool
from pierhead.core.json import Json
from pierhead.core.rule import parse_who
from pierhead.core.usage import Minutes
from pierhead.usecases.ports_catalogue import Change, Entry, Origin, Version
from pierhead.usecases.publish_policy import publish_policy
from pierhead.usecases.registry_desk import binding
from pierhead.usecases.wire_forms import Manifest

SERVERS: Final = 2_000
WAITING: Final = 40
TOOLS: Final = 10
CALLS_KEPT: Final = 100_000
LOOKS: Final = 100
URL: Final = "http://127.0.0.1:8420"
PAGES: Final = {
    "list": "/servers",
    "far": "/servers?page=30",
    "search": "/servers?search=server-12",
    "tool": "/servers?search=tool_7_of_1234",
    "stage": "/servers?stage=registered",
}
TARGETS: Final = tuple(Target(f"pages.servers.{name}", "p95", None, at_most=100.0) for name in PAGES)
DEMO: Final = Path(fleet_file.__file__).parent / "demo" / "fleet.yaml"


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Each page once afresh, then many times."""
    asyncio.run(_measure(results, folder, say))


async def _measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    keys, fleet = Keys.at(folder), fleet_file.load(DEMO, folder)
    keys.ensure(tuple(fleet.servers))
    async with AsyncExitStack() as opened:
        adapters = await registry_adapters(RegistrySetting(folder, fleet, URL, "ide", "local"), opened)
        say("filling the catalogue")
        await _fill(adapters)
        transport = httpx2.ASGITransport(build(parts_of(adapters)))
        async with httpx2.AsyncClient(transport=transport, base_url=URL) as http:
            await _sign_in(http)
            for name, path in PAGES.items():
                say(f"pages {name}")
                times = [await _timed(http, path) for _ in range(LOOKS + 1)]
                results.add(f"pages.servers.{name}", "first", times[0], "ms", 1)
                results.add(f"pages.servers.{name}", "p50", median(times[1:]), "ms", LOOKS)
                results.add(f"pages.servers.{name}", "p95", percentile(times[1:], 0.95), "ms", LOOKS)


async def _timed(http: httpx2.AsyncClient, path: str) -> float:
    started = time.perf_counter()
    answer = await http.get(path)
    took = (time.perf_counter() - started) * 1000
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    return took


async def _sign_in(http: httpx2.AsyncClient) -> None:
    page = (await http.get("/sign-in")).text
    token = page.partition('name="token" value="')[2].partition('"')[0]
    form = {"token": token, "next": "/servers", "person": "alice"}
    await http.post("/sign-in", data=form, headers={"origin": URL})


async def _fill(adapters: RegistryAdapters) -> None:
    now = adapters.clock.now()
    made = [_server(number, now) for number in range(SERVERS)]
    for start in range(0, SERVERS, 200):
        some = made[start : start + 200]
        change = Change((), entries=tuple(entry for entry, _ in some), versions=tuple(version for _, version in some))
        await adapters.catalogue.change(change, now)
    async with adapters.database.writing() as connection:
        for start in range(0, CALLS_KEPT, 10_000):
            await connection.execute(insert(CALLS), list(_calls(start, 10_000, now)))
    await publish_policy(adapters.registry.source, "bench")


def _server(number: int, now: float) -> tuple[Entry, Version]:
    name, group = f"server-{number}", f"group:team-{number % 50} or group:data-eng"
    document: dict[str, Json] = {
        "kind": "http",
        "url": "https://tools.corp.example/mcp",
        "tools": {
            f"tool_{place}_of_{number}": {"policy": group, "effect": "read", "minutes_saved": 3}
            for place in range(TOOLS)
        },
        "title": f"Server {number} of team {number % 50}",
        "owner": f"team-{number % 50}",
        "support": f"#team-{number % 50}",
        "description": f"Answers questions about part {number} of the company, for those who plan and those who build.",
        "access": group,
    }
    tools = tuple(_tool(f"tool_{place}_of_{number}", group) for place in range(TOOLS))
    manifest = Manifest("1.0.0", "", "http://127.0.0.1:1/mcp", tools)
    current = "1.0.0" if number >= WAITING else ""
    version = Version(
        server=name,
        version="1.0.0",
        stage=Stage.DEPLOYED if current else Stage.REGISTERED,
        manifest=manifest,
        binding=binding(name, "1.0.0", manifest, document),
        submitted_by="alice",
        published_at=now,
        moved_at=now,
        reason="",
        message="",
        successor="",
        sunset_at=None,
        lock=0,
        document=document,
    )
    return Entry(name, document, Origin.REGISTERED, "alice", now, current, 0), version


def _tool(name: str, group: str) -> Tool:
    return Tool(
        name=name,
        description="Finds rows by a question in plain words, and says where each was found and how sure it is.",
        policy=parse_who(group),
        effect=Effect.READ,
        approval=Approval.NONE,
        minutes=Minutes.estimate(3),
        input_schema={"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]},
        output_schema={"type": "object", "properties": {"rows": {"type": "array"}}},
    )


def _calls(start: int, count: int, now: float) -> Iterator[dict[str, object]]:
    for number in range(start, start + count):
        yield {
            "call_id": f"call-{number}",
            "rank": 3,
            "at_ms": int((now - (number * 25) % (29 * 86_400)) * 1000),
            "principal": f"person-{number % 300}",
            "person": f"person-{number % 300}",
            "surface": "ide",
            "server": f"server-{number % SERVERS}",
            "tool": f"tool_{number % TOOLS}_of_{number % SERVERS}",
            "effect": "read",
            "client": "bench",
            "decision": "permit",
            "outcome": "ok",
            "sentence": "",
            "arguments_digest": str(number),
            "minutes": 3.0,
            "duration_ms": 5.0,
            "bytes_out": 100,
            "details": "",
        }
