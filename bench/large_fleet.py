"""A registry of 2,000 servers with 20,000 tools as it stands in life: its database filled, its processes running.

40 servers are still on their way, every second one is everybody's, and 100,000 calls of the last month are on record.
Not here: what is measured of it (`registry`).
"""

import asyncio
import shutil
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sqlalchemy import insert

from bench.processes import Program, free_port, started
from pierhead.adapters.db.schema import CALLS
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_registry import RegistryAdapters, RegistrySetting, registry_adapters
from pierhead.core.approval import Approval
from pierhead.core.audit import ServerPublished
from pierhead.core.catalog import Effect, Stage, Tool
from pierhead.core.json import Json
from pierhead.core.rule import parse_who
from pierhead.core.scope import ALL, EVERY
from pierhead.core.usage import Minutes
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.ports_catalogue import Change, Entry, Origin, Version
from pierhead.usecases.publish_policy import publish_policy
from pierhead.usecases.registry_desk import binding
from pierhead.usecases.wire_forms import Manifest

SERVERS: Final = 2_000
WAITING: Final = 40
TOOLS: Final = 10
CALLS_KEPT: Final = 100_000
CHANGING: Final = tuple(range(100, 120))
"""The servers that are suspended and resumed: they alone have a process behind them, which answers a constant."""
_TOKEN_S: Final = 3600
_CLIENT: Final = "bench"
_FLEET: Final = """
people: {alice: {groups: [data-eng]}, frank: {groups: [platform-admin]}}
servers:
  seed:
    kind: stdio
    command: [mcp-server-time]
    owner: data-platform
    support: "#data-help"
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one such registry stands. `tokens` are by person and audience behind the public URL."""

    folder: Path
    database_url: str
    port: int
    upstream: str
    tokens: Mapping[tuple[str, str], str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Running:
    """Its processes. All gateways answer to one public URL, the first one's."""

    place: Place
    registry: Program
    gateways: tuple[Program, Program]


def filled(folder: Path, database_url: str, upstream: str) -> Place:
    """A new registry in `folder`; an empty `database_url` is SQLite there."""
    folder.mkdir()
    (folder / "fleet.yaml").write_text(_FLEET)
    return asyncio.run(_filled(Place(folder, database_url, free_port(), upstream, {})))


@contextmanager
def running(place: Place) -> Generator[Running]:
    """The registry and two gateways, as `pierhead run` starts them. Errors: NotStarted."""
    with ExitStack() as stack:
        port = free_port()
        common = ("--public-url", place.url)
        command = ("registry", "--fleet", place.folder / "fleet.yaml", "--port", str(port), "--data", place.folder)
        registry = stack.enter_context(role(place, "registry", port, (*command, *common)))
        gateways = [
            stack.enter_context(_gateway(place, number, f"http://127.0.0.1:{port}", common)) for number in range(2)
        ]
        yield Running(place, registry, (gateways[0], gateways[1]))


@contextmanager
def _gateway(place: Place, number: int, registry_url: str, common: tuple[str, ...]) -> Generator[Program]:
    """Each has a data directory of its own, as on a machine of its own, with the keys of the platform."""
    data, port = place.folder / f"gateway-{number}", free_port() if number else place.port
    data.mkdir()
    shutil.copytree(place.folder / "keys", data / "keys")
    flags = ("--port", str(port), "--diagnostics-port", str(free_port()), "--data", data)
    command = ("gateway", "--registry", registry_url, *flags, *common)
    with role(place, f"gateway-{number}", port, command, PIERHEAD__PLATFORM__REPLICA=str(number)) as program:
        yield program


@contextmanager
def role(place: Place, name: str, port: int, command: tuple[str | Path, ...], **environment: str) -> Generator[Program]:
    if place.database_url:
        environment["PIERHEAD__DATABASE__URL"] = place.database_url
    words = [sys.executable, "-m", "pierhead.apps.cli", "run", *command]
    with started(name, words, port, place.folder, environment=environment) as program:
        yield program


async def _filled(place: Place) -> Place:
    keys, fleet = Keys.at(place.folder), fleet_file.load(place.folder / "fleet.yaml", place.folder)
    keys.ensure(tuple(fleet.servers))
    async with AsyncExitStack() as opened:
        setting = RegistrySetting(place.folder, fleet, place.url, "ide", "local", place.database_url)
        adapters = await registry_adapters(setting, opened)
        await _fill(adapters, place.upstream)
        return replace(place, tokens={name: await token(adapters, place.url, *name) for name in _bearers()})


def _bearers() -> Iterator[tuple[str, str]]:
    yield from (("alice", "/api/v1"), ("frank", "/api/v1"))
    yield from (("alice", f"/mcp/server-{number}") for number in CHANGING)


async def token(adapters: RegistryAdapters, url: str, person: str, audience: str) -> str:
    """For an hour, for what stands behind the public URL, and for all that the person may do there."""
    scope = ALL if audience.startswith("/mcp") else EVERY
    made, _ = await issue(
        Grant(person, url + audience, _CLIENT, _CLIENT, _TOKEN_S, scope, proved_at=adapters.desk.clock.now()),
        adapters.desk,
    )
    return made


async def _fill(adapters: RegistryAdapters, upstream: str) -> None:
    now = adapters.clock.now()
    made = [_server(number, now) for number in range(SERVERS)]
    for start in range(0, SERVERS, 200):
        some = made[start : start + 200]
        change = Change((), entries=tuple(entry for entry, _ in some), versions=tuple(version for _, version in some))
        await adapters.catalogue.change(change, now)
    for number in CHANGING:
        entry, version = made[number]
        live, fact = replace(version.manifest, upstream=upstream), ServerPublished(entry.name, "", "deployed", "", "")
        await adapters.registry.manifests.keep(entry.name, live, now, fact)
    async with adapters.database.writing() as connection:
        for start in range(0, CALLS_KEPT, 10_000):
            await connection.execute(insert(CALLS), list(_calls(start, 10_000, now)))
    await publish_policy(adapters.registry.source, _CLIENT)


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
        "access": group if number % 2 else "everyone",
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
