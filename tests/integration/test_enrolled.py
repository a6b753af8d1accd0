"""What the key of a server opens of the registry's real routes, over its real database: its own, and nothing else."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import orjson
import pytest
from tests.approving import proposal
from tests.integration.test_registry import MANIFEST, PUBLIC_URL, Meeting, registry

from pierhead.adapters.snapshot_signature import SnapshotVerifier
from pierhead.core.chain import START, next_line
from pierhead.core.enrolment import Enrolment
from pierhead.core.errors import Invalid
from pierhead.core.snapshot import AgeLimits
from pierhead.usecases.approval_forms import proposal_to_form
from pierhead.usecases.follow_policy import FollowedPolicy
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.plan_forms import plan_to_form
from pierhead.usecases.ports_plans import NewPlan
from pierhead.usecases.ports_registry import Envelope
from pierhead.usecases.wire_forms import manifest_to_form

pytestmark = pytest.mark.anyio

FLEET: Final = """
people:
  alice: {groups: [data-eng]}
  bob: {groups: [kitchen]}
servers:
  clock:
    kind: stdio
    command: [mcp-server-time]
    owner: data-platform
    support: "#data-help"
    access: {groups: [data-eng]}
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
  lunch:
    kind: python
    url: http://127.0.0.1:9000/mcp
    owner: kitchen
    support: "#lunch"
    access: everyone
    approvers: [kitchen]
"""


class NoFile:
    def load(self) -> list[Envelope]:
        return []

    def keep(self, envelope: Envelope) -> None: ...

    def keep_change(self, envelope: Envelope) -> None: ...


class Own:
    """The process of `lunch`, by hand."""

    def __init__(self, meeting: Meeting, enrolment: Enrolment) -> None:
        self.meeting = meeting
        self.enrolment = enrolment

    async def ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.enrolment.bearer}"}
        return await self.meeting.client.request(method, f"/enrolled/v1{path}", json=body, headers=headers)


@asynccontextmanager
async def enrolled(tmp_path: Path) -> AsyncGenerator[Own]:
    async with registry(tmp_path, FLEET) as meeting:
        token = (await meeting.ask("POST", "/tokens", {"person": "bob", "server": "", "ttl_s": 60}))["token"]
        headers = {"authorization": f"Bearer {token}"}
        made = await meeting.client.post("/api/v1/servers/lunch/enrolment", headers=headers)
        assert made.status_code == 201, made.text
        yield Own(meeting, Enrolment.read(made.json()["credential"]))


async def test_its_manifest_is_taken_and_its_own_policy_told_and_verified(tmp_path: Path) -> None:
    async with enrolled(tmp_path) as own:
        told = manifest_to_form(MANIFEST) | {"upstream": "http://169.254.169.254/latest"}
        assert (await own.ask("POST", "/servers/lunch/manifest", told)).status_code == 204
        envelope = Envelope(**(await own.ask("GET", "/snapshot")).json())
        issued_at = orjson.loads(envelope.payload)["issued_at"]
        signature = SnapshotVerifier.of(bytes.fromhex(own.enrolment.policy))
        policy = FollowedPolicy(MemoryClock(issued_at), AgeLimits(60, 900), signature, NoFile(), only="lunch")
        policy.take(envelope)
        server = policy.current().servers["lunch"]
        assert list(policy.current().servers) == ["lunch"]
        assert (server.upstream, list(server.tools)) == ("http://127.0.0.1:9000/mcp", ["now"])


@pytest.mark.parametrize("only", ["", "clock"])
async def test_a_policy_that_was_cut_for_one_is_nobody_elses(tmp_path: Path, only: str) -> None:
    async with enrolled(tmp_path) as own:
        envelope = Envelope(**(await own.ask("GET", "/snapshot")).json())
        clock = MemoryClock(orjson.loads(envelope.payload)["issued_at"])
        signature = SnapshotVerifier.of(bytes.fromhex(own.enrolment.policy))
        policy = FollowedPolicy(clock, AgeLimits(60, 900), signature, NoFile(), only=only)
        with pytest.raises(Invalid) as refused:
            policy.take(envelope)
        assert refused.value.code == "snapshot-audience"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/servers/clock/manifest", manifest_to_form(MANIFEST)),
        ("POST", "/servers/clock/state", {"state": "failed", "reason": ""}),
        ("POST", "/facts", {"writer": "gateway", "records": []}),
        ("POST", "/facts", {"writer": "server-clock", "records": []}),
        ("POST", "/approvals", proposal_to_form(proposal(server="clock"))),
    ],
)
async def test_what_is_another_servers_is_refused(tmp_path: Path, method: str, path: str, body: Any) -> None:
    async with enrolled(tmp_path) as own:
        answer = await own.ask(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-its-own")


@pytest.mark.parametrize(
    "path",
    ["/entries", "/entries/lunch", "/health", "/tokens", "/audit", "/audit/export", "/impact", "/servers/states"],
)
async def test_nothing_else_is_there(tmp_path: Path, path: str) -> None:
    async with enrolled(tmp_path) as own:
        for method in ("GET", "POST"):
            assert (await own.ask(method, path, {} if method == "POST" else None)).status_code in {404, 405}
        headers = {"authorization": f"Bearer {own.enrolment.bearer}"}
        assert (await own.meeting.client.get(f"/internal/v1{path}", headers=headers)).status_code == 401


async def test_an_approval_is_asked_and_ended_by_the_server_that_it_is_of(tmp_path: Path) -> None:
    async with enrolled(tmp_path) as own:
        theirs = await own.meeting.ask("POST", "/approvals", proposal_to_form(proposal(server="clock")))
        asked = await own.ask("POST", "/approvals", proposal_to_form(proposal(server="lunch")))
        assert asked.status_code == 200, asked.text
        ended = {"call_id": "c", "ended": "ok"}
        refused = await own.ask("POST", f"/approvals/{theirs['id']}/finish", ended)
        assert (refused.status_code, refused.json()["code"]) == (403, "not-its-own")
        spent = await own.ask("POST", f"/approvals/{theirs['id']}/spend", {"digest": "d", "call_id": "c"})
        assert spent.status_code == 403
        asker = {"asker": {"issuer": PUBLIC_URL, "person": "alice", "program": ""}}
        more = {"confirm": {"verdict": "approve", "digest": "d"}, "wait": {"wait_s": 0.0}, "cancel": {}}
        for step, said in more.items():
            answer = await own.ask("POST", f"/approvals/{theirs['id']}/{step}", asker | said)
            assert answer.json()["code"] == "not-its-own", step
        assert (await own.ask("POST", "/approvals/mine", asker | {"server": "clock"})).status_code == 403
        assert (await own.ask("POST", "/approvals/mine", asker | {"server": ""})).status_code == 403
        assert (await own.ask("POST", "/approvals/mine", asker | {"server": "lunch"})).status_code == 200
        assert asked.json()["id"] != theirs["id"], "it names another's call, and does not get at it by that"
        ours = await own.ask("POST", f"/approvals/{asked.json()['id']}/finish", ended)
        assert ours.json()["code"] != "not-its-own", "it is told that this cannot end yet"
        assert (await own.ask("POST", "/approvals/apr_none/finish", ended)).status_code == 404


async def test_a_plan_is_kept_read_and_used_by_the_server_that_it_is_of(tmp_path: Path) -> None:
    async with enrolled(tmp_path) as own:
        theirs = plan_to_form(NewPlan("clock", "set", "o" * 64, {"hour": 1}, "d" * 64))
        other = await own.meeting.ask("POST", "/plans", theirs)
        assert (await own.ask("POST", "/plans", theirs)).status_code == 403
        for method, path in (("GET", f"/plans/{other['id']}"), ("POST", f"/plans/{other['id']}/use")):
            assert (await own.ask(method, path, {} if method == "POST" else None)).status_code == 403
        ours = (await own.ask("POST", "/plans", theirs | {"server": "lunch"})).json()
        assert (await own.ask("GET", f"/plans/{ours['id']}")).json()["id"] == ours["id"]
        used = [(await own.ask("POST", f"/plans/{ours['id']}/use", {})).json() for _ in range(2)]
        assert used == [{"is_used": True}, {"is_used": False}]
        assert (await own.ask("GET", "/plans/none")).status_code == 404


async def test_its_own_calls_are_kept_and_a_tale_of_others_is_not(tmp_path: Path) -> None:
    async with enrolled(tmp_path) as own:
        _, line = next_line(START, 1, b'{"kind":"call-lost","call_id":"x"}')
        body = {"writer": "server-lunch", "records": [line.decode()]}
        assert (await own.ask("POST", "/facts", body)).json() == {"acknowledged": 1}
        _, line = next_line(START, 1, b'{"kind":"review-decided","server":"lunch"}')
        refused = await own.ask("POST", "/facts", {**body, "records": [line.decode()]})
        assert (refused.status_code, refused.json()["code"]) == (403, "not-its-own")
