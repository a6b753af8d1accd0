"""Real Envoy before the gateway: proofs good and bad, headers that lie, and layer 1 as the rows say it."""

import asyncio
import copy
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.attacks.test_workloads import TOOLS, server
from tests.components import free_port
from tests.rigs.envoy import GATEWAY, Certificates, meshed_by, running, validate
from tests.rigs.envoy import configured as rendered
from tests.rigs.gateway import Rig, WallClock, claims, gateway, headers, message, registry, serving, sign
from tests.rigs.mesh import CHAT, DOMAIN, FOREIGN, REPORT, STRANGER, TRIAGE, forwarded

from pierhead.adapters.envoy import BeforeServer, Place, render
from pierhead.adapters.local_authority import Authority, write_secrets
from pierhead.apps.authenticate import in_channel
from pierhead.core.identity import Both, Caller, Principal, User, Workload
from pierhead.core.policy import refuse
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.usecases.match_rules import REACH, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CHANNEL = "C-airflow-help"
NO_HANDSHAKE = (httpx2.TransportError, ssl.SSLError)
PRODUCTION, EXPERIMENTAL = frozenset({"production"}), frozenset({"experimental"})
ROWS = [
    Row("warehouse", parse_who(f"group:data-eng or workload:{CHAT}"), EVERY, EVERY, EVERY),
    Row("warehouse", parse_who(f"workload:{TRIAGE}"), frozenset({"agent"}), PRODUCTION, EVERY),
    Row("lab", parse_who(f"everyone or workload:{CHAT} or workload:{REPORT}"), EVERY, EXPERIMENTAL, EVERY),
    Row("lab", parse_who("user:ann"), frozenset({"ide"}), EVERY, EVERY),
    Row("closed", parse_who("nobody"), EVERY, EVERY, EVERY),
    Row("support", parse_who(f"everyone or workload:{CHAT} or workload:{TRIAGE}"), EVERY, EVERY, frozenset({CHANNEL})),
]


@dataclass
class Front:
    """Envoy, the gateway behind it, and who may ask."""

    rig: Rig
    certificates: Certificates
    configuration: dict[str, Any] = field(repr=False)

    async def ask(
        self, name: str = "warehouse", *, workload: str = "", token: str = "", tool: str = "echo", **more: Any
    ) -> httpx2.Response:
        sent = headers("tools/call", tool)
        if token:
            sent["authorization"] = f"Bearer {token}"
        body = message("tools/call", {"name": tool, "arguments": {}})
        async with self.certificates.client(workload, more.pop("authority", None)) as client:
            way = f"{self.rig.url}/mcp/{name}"
            return await client.post(way, content=body, headers=[*sent.items(), *more.pop("spoof", {}).items()])

    def token(self, person: str = "alice", *groups: str, server: str = "warehouse", **more: Any) -> str:
        return self.rig.token(sub=person, groups=list(groups), aud=f"{self.rig.url}/mcp/{server}", **more)


def configured(folder: Path, port: int, admin_port: int, authz_s: float = 30) -> tuple[Any, dict[str, Any]]:
    """The settings of a mesh, and Envoy's configuration made from them."""
    setting = meshed_by(folder, port, admin_port, authz_s)
    opened = {name: tuple(row for row in ROWS if row.server == name) for name in {row.server for row in ROWS}}
    return setting, rendered(setting, opened)


@asynccontextmanager
async def front(folder: Path) -> AsyncGenerator[Front]:
    certificates = Certificates(folder / "secrets")
    port, admin_port = free_port(), free_port()
    setting, configuration = configured(folder, port, admin_port)
    url = f"https://127.0.0.1:{port}"
    async with (
        serving(server) as upstream,
        gateway(f"{upstream}/mcp", *TOOLS, rows=ROWS, mesh=setting, public_url=url) as rig,
        running(configuration, folder),
    ):
        yield Front(rig, certificates, configuration)


async def test_envoy_accepts_what_is_rendered_and_no_option_is_deprecated(tmp_path: Path) -> None:
    Certificates(tmp_path / "secrets")
    _, before_gateway = configured(tmp_path, 8443, 9901)
    place = Place("lab", "127.0.0.1", 8444, 9902, "127.0.0.1:8501", tmp_path / "secrets", 100)
    assert validate(before_gateway, tmp_path) == ""
    assert validate(render(BeforeServer(place, GATEWAY)), tmp_path) == ""
    broken = copy.deepcopy(before_gateway)
    del broken["static_resources"]["clusters"][0]
    assert "pierhead" in validate(broken, tmp_path)


async def test_people_and_workloads_prove_themselves_through_envoy(tmp_path: Path) -> None:
    async with front(tmp_path) as at:
        alice = at.token("alice", "data-eng")
        person = await at.ask(token=alice)
        assert person.text.startswith("alice on ide in local; ")
        both = await at.ask(token=alice, workload=CHAT)
        assert both.text.startswith(f"alice via {CHAT} on chat in production; ")
        alone = await at.ask(workload=TRIAGE)
        assert alone.text.startswith(f"{TRIAGE} on agent in production; ")
        written = await at.ask(workload=TRIAGE, tool="wipe")
        assert "Unknown tool" in written.json()["error"]["message"]
        assert (await at.ask(token=at.token("bob", "ads"), workload=CHAT)).status_code == 403
        assert (await at.ask(token=alice, workload=REPORT)).status_code == 403
        challenge = await at.ask()
        assert (challenge.status_code, challenge.json()["error"]["data"]["code"]) == (401, "no-credentials")
        assert f"{at.rig.url}/.well-known/oauth-protected-resource" in challenge.headers["www-authenticate"]


async def test_a_bad_token_or_certificate_ends_at_envoy(tmp_path: Path) -> None:
    async with front(tmp_path) as at:
        good = claims(at.rig.url, aud=f"{at.rig.url}/mcp/warehouse")
        bad = {
            "a wrong signature": at.token()[:-8] + "AAAAAAAA",
            "another audience": at.token(server="lab"),
            "expired": at.token(exp=1_700_000_000),
            "another issuer": at.token(iss="https://evil.example"),
            "no algorithm": "eyJhbGciOiJub25lIn0." + sign(good).split(".")[1] + ".",
        }
        for what, token in bad.items():
            assert (await at.ask(token=token)).status_code in {401, 403}, what
        for spiffe_id in (STRANGER, FOREIGN):
            assert (await at.ask(workload=spiffe_id)).status_code == 403
            assert (await at.ask(workload=spiffe_id, token=at.token("alice", "data-eng"))).status_code == 403
        for domain in (DOMAIN, "evil.example"):
            with pytest.raises(NO_HANDSHAKE):
                await at.ask(workload=CHAT, authority=Authority.new(domain, WallClock()))
        assert "call-started" not in at.rig.audit.kinds()


async def test_headers_that_lie_change_nothing_behind_envoy(tmp_path: Path) -> None:
    async with front(tmp_path) as at:
        token = at.token("bob", "ads")
        spoofs = (
            {"x-forwarded-client-cert": forwarded(CHAT)},
            {"X-Forwarded-Client-Cert": f"{forwarded(TRIAGE)},{forwarded(CHAT)}"},
            {"x-forwarded-user": "alice", "x-forwarded-groups": "data-eng"},
            {"x-user": "alice"},
            {"x-envoy-original-path": "/mcp/lab"},
            {"pierhead-assertion": "x"},
        )
        for spoof in spoofs:
            assert (await at.ask(token=token, spoof=spoof)).status_code == 403, spoof
            assert (await at.ask(spoof=spoof)).status_code == 401, spoof
            through = await at.ask(workload=TRIAGE, spoof=spoof)
            assert through.text.startswith(f"{TRIAGE} on agent in production; "), spoof
        underscores = await at.ask(token=token, spoof={"x_forwarded_client_cert": forwarded(CHAT)})
        assert underscores.status_code == 400
        people = {fact.actor.person for fact in at.rig.audit.facts if fact.kind == "call-refused"}
        assert people <= {"", "bob"}


async def test_production_chat_does_not_reach_an_experimental_server(tmp_path: Path) -> None:
    async with front(tmp_path) as at:
        ann = at.token("ann", server="lab")
        assert (await at.ask("lab", token=ann)).text.startswith("ann on ide in local; ")
        assert (await at.ask("lab", token=ann, workload=CHAT)).status_code == 403
        assert (await at.ask("lab", workload=CHAT)).status_code == 403
        experimental = await at.ask("lab", token=ann, workload=REPORT)
        assert experimental.text.startswith(f"ann via {REPORT} on agent in experimental; ")


async def test_what_changed_since_the_rendering_is_decided_by_pierhead(tmp_path: Path) -> None:
    async with front(tmp_path) as at:
        token = at.token("alice", "data-eng")
        assert (await at.ask(token=token)).status_code == 200
        at.rig.snapshots.snapshot = snapshot_of(at.rig.snapshots.current().servers.values(), ROWS[1:], revision=9)
        refused = await at.ask(token=token)
        assert (refused.status_code, refused.json()["error"]["data"]["code"]) == (403, "cannot-reach")


async def test_without_pierheads_word_nothing_passes(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "secrets")
    port, admin_port = free_port(), free_port()
    setting, configuration = configured(tmp_path, port, admin_port, authz_s=0.2)
    url, silent = f"https://127.0.0.1:{port}", asyncio.Event()

    async def never(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    unanswered = await asyncio.start_unix_server(never, setting.authz_socket)
    async with (
        serving(server) as upstream,
        gateway(f"{upstream}/mcp", rows=ROWS, mesh=setting.model_copy(update={"authz": ""}), public_url=url) as rig,
        running(configuration, tmp_path),
    ):
        at = Front(rig, certificates, configuration)
        assert (await at.ask(token=at.token("alice", "data-eng"))).status_code == 503
        silent.set()
        unanswered.close()
        assert (await at.ask(token=at.token("alice", "data-eng"))).status_code == 503
        assert rig.audit.kinds() == []


async def test_a_new_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    async with front(tmp_path) as at:
        assert (await at.ask(workload=TRIAGE)).status_code == 200
        before, renewed = at.certificates.authority, Authority.new(DOMAIN, WallClock())
        write_secrets(at.certificates.folder, renewed.svid(GATEWAY, ["127.0.0.1"]), renewed.bundle)
        at.certificates.authority = renewed
        async with asyncio.timeout(30):
            while not await _answers(at):  # noqa: ASYNC110 - asks another program
                await asyncio.sleep(0.05)
        with pytest.raises(NO_HANDSHAKE):
            await at.ask(workload=TRIAGE, authority=before)


async def _answers(at: Front) -> bool:
    try:
        return (await at.ask(workload=TRIAGE)).status_code == 200
    except NO_HANDSHAKE:
        return False


ANN, ALICE, BOB = ("ann", ()), ("alice", ("data-eng",)), ("bob", ("ads",))


async def test_envoys_rules_alone_say_what_the_rows_say(tmp_path: Path) -> None:
    """Without ext_authz, and before a server that answers everybody: RBAC against the function that decides."""
    certificates = Certificates(tmp_path / "secrets")
    port, admin_port = free_port(), free_port()
    _, configuration = configured(tmp_path, port, admin_port)
    manager = configuration["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"] = [each for each in manager["http_filters"] if "ext_authz" not in each["name"]]
    for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
        route.pop("typed_per_filter_config", None)
    url, rules = f"https://127.0.0.1:{port}", SnapshotRules(MemorySnapshots(snapshot_of([], ROWS)), REACH)
    async with serving(registry) as upstream:
        configuration["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0][
            "endpoint"
        ]["address"] = {"socket_address": {"address": "127.0.0.1", "port_value": int(upstream.rpartition(":")[2])}}
        async with running(configuration, tmp_path):
            for workload in ("", CHAT, TRIAGE, REPORT):
                async with certificates.client(workload) as client:
                    for name in ("warehouse", "lab", "closed", "support"):
                        for person, channel in product((None, ANN, ALICE, BOB), ("", CHANNEL, "C-other")):
                            caller = _caller(person, workload, channel)
                            if caller is None:
                                continue
                            sent = {} if person is None else {"authorization": f"Bearer {_token(url, name, person)}"}
                            sent |= {"pierhead-channel": channel} if channel else {}
                            answer = await client.post(f"{url}/mcp/{name}", headers=sent)
                            expected = refuse(caller, rules.reach(caller, name), REACH, "") is None
                            assert (answer.status_code == 200) is expected, (caller.name, name, answer.status_code)


def _token(url: str, name: str, person: tuple[str, tuple[str, ...]]) -> str:
    return sign(claims(url, sub=person[0], groups=list(person[1]), aud=f"{url}/mcp/{name}"))


def _caller(person: tuple[str, tuple[str, ...]] | None, workload: str, channel: str) -> Caller | None:
    user = User("https://issuer", person[0], frozenset(person[1])) if person else None
    program = Workload(workload) if workload else None
    principal: Principal | None = Both(user, program) if user and program else user or program
    if principal is None:
        return None
    places = {"": ("ide", "local"), CHAT: ("chat", "production"), TRIAGE: ("agent", "production")}
    caller = Caller(principal, *places.get(workload, ("agent", "experimental")), "c")
    return in_channel(caller, channel.encode() or None)


async def test_a_servers_envoy_admits_the_gateway_alone(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "secrets")
    port, admin_port = free_port(), free_port()
    async with serving(registry) as upstream:
        behind = upstream.removeprefix("http://")
        place = Place("lab", "127.0.0.1", port, admin_port, behind, tmp_path / "secrets", 1)
        async with running(render(BeforeServer(place, GATEWAY)), tmp_path):
            async with certificates.client(GATEWAY) as client:
                seen = await client.post(f"https://127.0.0.1:{port}/mcp")
                assert seen.status_code == 200
                assert json.dumps(f"URI={GATEWAY}")[1:-1] in seen.text
                flooding = await asyncio.gather(*[client.post(f"https://127.0.0.1:{port}/mcp") for _ in range(20)])
                assert 429 in {answer.status_code for answer in flooding}
            for spiffe_id in ("", CHAT, FOREIGN):
                async with certificates.client(spiffe_id) as client:
                    with pytest.raises(NO_HANDSHAKE):
                        await client.post(f"https://127.0.0.1:{port}/mcp")


async def test_a_certificate_that_lives_too_long_is_nobodys_behind_envoy_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with front(tmp_path) as at:
        assert (await at.ask(workload=TRIAGE)).status_code == 200
        monkeypatch.setattr("pierhead.adapters.local_authority.LIFE_S", 86_400)
        refused = await at.ask(workload=TRIAGE)
        assert refused.status_code == 401
        failed = [fact for fact in at.rig.audit.facts if fact.kind == "sign-in-failed"]
        assert [fact.reason for fact in failed] == ["svid-too-long"]
