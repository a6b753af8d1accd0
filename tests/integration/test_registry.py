"""The registry as gateways, servers and the command line meet it: its real routes over its real database."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from pierhead.adapters.snapshot_signature import SnapshotVerifier
from pierhead.adapters.token_signer import JoseSigner
from pierhead.apps.registry.app import build, parts_of
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_registry import RegistrySetting, registry_adapters
from pierhead.core.approval import Approval
from pierhead.core.audit import Actor, CallFinished, CallStarted
from pierhead.core.catalog import Effect, Tool
from pierhead.core.chain import START, next_line
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import AgeLimits, Fresh
from pierhead.core.usage import Minutes
from pierhead.usecases.follow_policy import FollowedPolicy
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.ports_registry import Envelope
from pierhead.usecases.wire_forms import Manifest, manifest_to_form

FLEET = """
people:
  alice: {groups: [data-eng]}
servers:
  clock:
    kind: stdio
    command: [mcp-server-time]
    owner: data-platform
    support: "#data-help"
    access: {groups: [data-eng]}
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
"""
PUBLIC_URL = "http://127.0.0.1:8420"
TOOL = Tool("now", "", parse_who("everyone"), Effect.READ, Approval.NONE, Minutes.estimate(1), {"type": "object"}, {})
MANIFEST = Manifest("1", "The time", "http://127.0.0.1:9001/mcp", (TOOL,))


@dataclass
class Meeting:
    client: httpx2.AsyncClient
    keys: Keys

    async def ask(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        answer = await self.client.request(method, f"/internal/v1{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@asynccontextmanager
async def registry(tmp_path: Path, text: str = FLEET) -> AsyncGenerator[Meeting]:
    """A started registry on this data directory."""
    keys, path = Keys.at(tmp_path), tmp_path / "fleet.yaml"
    path.write_text(text)
    fleet = fleet_file.load(path, tmp_path)
    keys.ensure(tuple(fleet.servers))
    async with AsyncExitStack() as opened:
        setting = RegistrySetting(tmp_path, fleet, PUBLIC_URL, "ide", "local")
        application = build(parts_of(await registry_adapters(setting, opened)))
        headers = {"authorization": f"Bearer {keys.read('internal.key').decode()}"}
        transport = httpx2.ASGITransport(application)
        async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL, headers=headers) as client:
            yield Meeting(client, keys)


class NoFile:
    def load(self) -> Sequence[Envelope]:
        return []

    def keep(self, envelope: Envelope) -> None:
        self.kept = envelope

    def keep_change(self, envelope: Envelope) -> None:
        self.kept = envelope


@pytest.mark.parametrize("path", ["/snapshot", "/facts", "/nothing", "/audit/chain", "/tokens"])
@pytest.mark.parametrize("header", [None, "Bearer ", "Bearer wrong", "bearer", "Basic eDp5"])
def test_without_the_internal_key_every_path_reads_alike(tmp_path: Path, path: str, header: str | None) -> None:
    async def story() -> None:
        async with registry(tmp_path) as meeting:
            del meeting.client.headers["authorization"]
            headers = {"authorization": header} if header is not None else {}
            answer = await meeting.client.get(f"/internal/v1{path}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")

    asyncio.run(story())


def test_a_published_manifest_reaches_a_waiting_follower_at_once_and_survives_a_restart(tmp_path: Path) -> None:
    async def story() -> None:
        async with registry(tmp_path) as meeting:
            first = await meeting.ask("GET", "/snapshot")
            revision = orjson.loads(first["payload"])["revision"]
            waiting = asyncio.ensure_future(meeting.ask("GET", f"/snapshot?after={revision}&wait_s=30"))
            await asyncio.sleep(0)
            await meeting.ask("POST", "/servers/clock/manifest", manifest_to_form(MANIFEST), status=204)
            envelope = Envelope(**await asyncio.wait_for(waiting, 5))
            policy = FollowedPolicy(
                MemoryClock(orjson.loads(envelope.payload)["issued_at"]),
                AgeLimits(60, 900),
                SnapshotVerifier.of(meeting.keys.read("snapshot.pub")),
                NoFile(),
            )
            policy.take(envelope)
            assert policy.current().revision == revision + 1
            assert policy.current().servers["clock"].upstream == MANIFEST.upstream
            assert isinstance(policy.age(), Fresh)
            await meeting.ask("POST", "/servers/clock/manifest", manifest_to_form(MANIFEST), status=204)
            again = await meeting.ask("GET", f"/snapshot?after={revision + 1}&wait_s=0.01")
            assert orjson.loads(again["payload"])["revision"] == revision + 1
        async with registry(tmp_path) as meeting:
            kept = orjson.loads((await meeting.ask("GET", "/snapshot"))["payload"])
            assert (kept["revision"], len(kept["servers"][0]["tools"])) == (revision + 1, 1)
            assert (await meeting.ask("GET", "/audit/chain"))["broken"] == ""

    asyncio.run(story())


def test_facts_become_calls_impact_and_an_export_that_fits_the_chain(tmp_path: Path) -> None:
    async def story() -> None:
        actor = Actor("alice", "alice", "", ("data-eng",), "ide", "local")
        begun = CallStarted("c", actor, "clock", "1", "now", "read", "", "", "d", 2, {}, 1, (), 90.0)
        head, first = next_line(START, 1_795_000_000_000, orjson.dumps(begun))
        _, second = next_line(head, 1_795_000_000_500, orjson.dumps(CallFinished("c", "ok", "", 3, 500.0)))
        lines = [first.decode(), second.decode()]
        async with registry(tmp_path) as meeting:
            sent = {"writer": "server-clock", "records": lines}
            assert await meeting.ask("POST", "/facts", sent) == {"acknowledged": 2}
            assert await meeting.ask("POST", "/facts", {**sent, "records": []}) == {"acknowledged": 2}
            (call,) = (await meeting.ask("GET", "/audit?server=clock"))["calls"]
            assert (call["outcome"], call["duration_ms"]) == ("ok", 500.0)
            told = await meeting.ask("GET", "/audit/calls/c")
            assert [fact["fact"]["kind"] for fact in told["facts"]] == ["call-started", "call-finished"]
            impact = await meeting.ask("GET", "/impact")
            assert (impact["hours"], impact["invocations"], impact["active_users"]) == (1.5, 1, 1)
            page = await meeting.ask("GET", "/audit/export?writer=server-clock&sequence=0")
            assert [kept["line"] for kept in page["lines"]] == lines
            assert page["next"] == {"writer": "server-clock", "sequence": 2}
            broken = {"writer": "server-clock", "records": [lines[1].replace('"seq":2', '"seq":9')]}
            assert (await meeting.ask("POST", "/facts", broken, status=400))["code"] == "chain-gap"

    asyncio.run(story())


@pytest.mark.parametrize("writer", ["registry", "", "gateway/../x", "server-", "SERVER-x"])
def test_nobody_ships_facts_in_the_name_of_the_registry(tmp_path: Path, writer: str) -> None:
    async def story() -> None:
        async with registry(tmp_path) as meeting:
            await meeting.ask("POST", "/facts", {"writer": writer, "records": []}, status=400)

    asyncio.run(story())


def test_a_token_names_its_person_and_only_what_it_is_for(tmp_path: Path) -> None:
    async def story() -> None:
        async with registry(tmp_path) as meeting:
            signer = JoseSigner(meeting.keys.read("token.jwk").decode())
            one = await meeting.ask("POST", "/tokens", {"person": "alice", "server": "clock", "ttl_s": 60})
            claims = signer.read(one["token"]) or {}
            assert (claims["sub"], claims["aud"], claims["groups"]) == (
                "alice",
                f"{PUBLIC_URL}/mcp/clock",
                ["data-eng"],
            )
            every = await meeting.ask("POST", "/tokens", {"person": "alice", "server": "", "ttl_s": 60})
            assert f"{PUBLIC_URL}/mcp/clock" in (signer.read(every["token"]) or {})["aud"]
            for wrong in ({"person": "nobody"}, {"server": "nowhere"}):
                asked = {"person": "alice", "server": "clock", "ttl_s": 60, **wrong}
                await meeting.ask("POST", "/tokens", asked, status=404)
            for ttl_s in (0, 90_000, True, "60"):
                await meeting.ask("POST", "/tokens", {"person": "alice", "server": "", "ttl_s": ttl_s}, status=400)

    asyncio.run(story())


def test_a_token_for_everything_fits_however_many_servers_there_are(tmp_path: Path) -> None:
    head, clock = FLEET.split("servers:\n")
    many = "".join(clock.replace("clock:", f"clock-with-a-long-name-{number}:") for number in range(150))

    async def story() -> None:
        async with registry(tmp_path, f"{head}servers:\n{many}") as meeting:
            token = (await meeting.ask("POST", "/tokens", {"person": "alice", "server": "", "ttl_s": 60}))["token"]
            signer = JoseSigner(meeting.keys.read("token.jwk").decode())
            assert (signer.read(token) or {})["aud"] == [f"{PUBLIC_URL}{path}" for path in ("/mcp", "/api/v1", "/r/me")]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/servers/unknown/manifest", manifest_to_form(MANIFEST), 404),
        ("POST", "/servers/clock/manifest", {"version": "1"}, 400),
        ("POST", "/servers/clock/manifest", {**manifest_to_form(MANIFEST), "upstream": "file:///etc"}, 400),
        ("POST", "/servers/clock/manifest", {**manifest_to_form(MANIFEST), "more": 1}, 400),
        ("POST", "/servers/clock/state", {"state": "dancing", "reason": ""}, 400),
        ("POST", "/servers/clock/state", {"state": "running"}, 400),
        ("POST", "/servers/unknown/state", {"state": "running", "reason": ""}, 404),
        ("POST", "/servers/clock/state", {"state": "running", "reason": ""}, 204),
        ("POST", "/facts", {"writer": "gateway", "records": [1]}, 400),
        ("POST", "/facts", [], 400),
        ("GET", "/audit?since=yesterday", None, 400),
        ("GET", "/audit?since=nan", None, 400),
        ("GET", "/audit/calls/none", None, 404),
    ],
)
def test_wrong_input_is_named_and_changes_nothing(
    tmp_path: Path, method: str, path: str, body: object, status: int
) -> None:
    async def story() -> None:
        async with registry(tmp_path) as meeting:
            before = (await meeting.ask("GET", "/audit/chain"))["records"]
            await meeting.ask(method, path, body, status=status)
            after = (await meeting.ask("GET", "/audit/chain"))["records"]
            assert after - before == (1 if status == 204 else 0)

    asyncio.run(story())


def test_the_state_of_a_process_is_told_back_with_its_reason(tmp_path: Path) -> None:
    async def story() -> None:
        async with registry(tmp_path) as meeting:
            assert await meeting.ask("GET", "/servers/states") == {"states": {}}
            await meeting.ask("POST", "/servers/clock/state", {"state": "failed", "reason": "exit 1"}, status=204)
            (known,) = (await meeting.ask("GET", "/servers/states"))["states"].items()
            assert known[0] == "clock"
            assert (known[1]["state"], known[1]["reason"], known[1]["since"] > 0) == ("failed", "exit 1", True)

    asyncio.run(story())


def test_pages_and_sign_in_are_mounted_beside_the_internal_api(tmp_path: Path) -> None:
    async def story() -> None:
        async with registry(tmp_path) as meeting:
            for path in ("/healthz", "/oauth/jwks", "/.well-known/oauth-authorization-server", "/sign-in"):
                assert (await meeting.client.get(path)).status_code == 200, path

    asyncio.run(story())


def test_looks_at_servers_are_kept_and_read_back(tmp_path: Path) -> None:
    look = {
        "server": "clock",
        "version": "1",
        "condition": "down",
        "latency_ms": 1.5,
        "reason": "it is away",
        "tools_digest": "",
        "is_as_published": False,
        "dependencies": [{"name": "guest", "condition": "degraded", "reason": "slow"}],
    }

    async def story() -> None:
        async with registry(tmp_path) as meeting:
            await meeting.ask("GET", "/health/clock", status=404)
            await meeting.ask("POST", "/health", {"looks": [look]}, status=204)
            await meeting.ask("POST", "/health", {"looks": [{**look, "condition": "fine"}]}, status=400)
            every = await meeting.ask("GET", "/health")
            assert every["health"]["clock"]["condition"] == "down"
            one = await meeting.ask("GET", "/health/clock")
            assert [probe["reason"] for probe in one["probes"]] == ["it is away"]
            assert one["health"]["last"]["dependencies"] == look["dependencies"]

    asyncio.run(story())


def test_who_follows_the_entries_is_answered_when_one_changes(tmp_path: Path) -> None:
    async def story() -> None:
        async with registry(tmp_path) as meeting:
            first = await meeting.ask("GET", "/entries")
            again = await meeting.ask("GET", f"/entries?seen={first['seen']}&wait_s=0.01")
            assert again == first
            waiting = asyncio.ensure_future(meeting.ask("GET", f"/entries?seen={first['seen']}&wait_s=60"))
            await asyncio.sleep(0)
            await meeting.ask("POST", "/servers/clock/manifest", manifest_to_form(MANIFEST), status=204)
            heard = await asyncio.wait_for(waiting, 20)
            assert heard["seen"] > first["seen"]
            late = await meeting.ask("GET", f"/entries?seen={first['seen']}&wait_s=60")
            assert late["entries"]["clock"]["current"]

    asyncio.run(story())
