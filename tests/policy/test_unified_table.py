"""One truth table, put to the decision function, to SDK servers, and to a gateway before them."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.rigs.gateway import MASTER, Rig, WallClock, gateway, headers, message, serving, verifier
from tests.rigs.mesh import mesh, svid
from tests.rigs.truth_table import Case, Table, load

from pierhead.adapters.assertion import Minter
from pierhead.core.call import Parsed, digest
from pierhead.sdk.governance import govern
from pierhead.sdk.host import host
from pierhead.usecases.explain_decision import explain_decision
from pierhead.usecases.memory import MemoryAudit, MemorySnapshots, NoApprovals, snapshot_of

pytestmark = pytest.mark.anyio

TABLE = load()
KNOWN = [case for case in TABLE.cases if case.tool in TABLE.servers[case.server]["tools"]]


def _id(case: Case) -> str:
    return case.name.replace(" ", "_")


def read(case: Case) -> Parsed:
    values = {"limit": 10, "table": "flights", **case.arguments}
    return Parsed(values, digest(values), 10)


@pytest.mark.parametrize("case", KNOWN, ids=_id)
def test_the_decision_function_decides_as_the_table_says(case: Case) -> None:
    snapshots = MemorySnapshots(TABLE.snapshot(TABLE.sdk_servers(), {}))
    asking = case.caller("https://issuer.example")
    found = explain_decision(asking, case.server, case.tool, snapshots, read(case))
    assert found.decision == case.decision
    assert case.rule in {"", *(reason.rule for reason in found.reasons)}


@dataclass
class Fleet:
    """The table's servers and a gateway before them, and what each of them recorded."""

    rig: Rig
    served: MemoryAudit

    async def ask(self, case: Case) -> httpx2.Response:
        audience = f"{self.rig.url}/mcp/{case.server}"
        proofs: dict[str, str] = {"pierhead-channel": case.channel} if case.channel else {}
        if case.user:
            token = self.rig.token(sub=case.user, groups=sorted(case.groups), aud=audience)
            proofs["authorization"] = f"Bearer {token}"
        if case.workload:
            name = "pierhead-workload-token" if case.user else "authorization"
            proofs[name] = ("" if case.user else "Bearer ") + svid(case.workload, audience)
        body = message("tools/call", {"name": case.tool, "arguments": case.arguments})
        sent = {**headers("tools/call", case.tool), **proofs}
        return await self.rig.client.post(audience, content=body, headers=sent)


@asynccontextmanager
async def fleet(table: Table, folder: Path) -> AsyncGenerator[Fleet]:
    async with AsyncExitStack() as opened:
        servers, snapshots, audit = table.sdk_servers(), MemorySnapshots(snapshot_of([], [])), MemoryAudit()
        upstreams: dict[str, str] = {}
        for name, server in servers.items():
            governance = govern(name, server.tools, snapshots, NoApprovals(), audit, WallClock())
            application = host(server, governance, verifier(name))
            upstreams[name] = f"{await opened.enter_async_context(serving(application))}/mcp"
        rig = await opened.enter_async_context(gateway("", mesh=mesh(folder)))
        snapshots.snapshot = rig.snapshots.snapshot = table.snapshot(servers, upstreams)
        yield Fleet(rig, audit)


def decided(facts: list[Any]) -> tuple[str, set[str]]:
    """What the first fact of a call says was decided, and by which rules."""
    fact = next(each for each in facts if each.kind in {"call-started", "call-refused"})
    rules = {reason.rule for reason in fact.reasons}
    if fact.kind == "call-started":
        return "permit", rules
    return ("approval" if fact.code == "approval_required" else "refuse"), rules


async def test_a_gateway_and_the_servers_behind_it_decide_as_the_table_says(tmp_path: Path) -> None:
    async with fleet(TABLE, tmp_path) as running:
        for case in TABLE.cases:
            running.rig.audit.facts.clear()
            running.served.facts.clear()
            answer = await running.ask(case)
            reached, rules = decided(running.rig.audit.facts)
            assert reached == ("permit" if case.is_reached else "refuse"), (case.name, answer.text)
            assert bool(running.served.facts) is case.is_reached, case.name
            if case.is_reached:
                told, served = decided(running.served.facts)
                assert told == case.decision, (case.name, answer.text)
                rules |= served
            assert case.rule in {"", *rules}, (case.name, rules)


async def test_a_server_that_is_called_past_the_gateway_decides_alike(tmp_path: Path) -> None:
    async with fleet(TABLE, tmp_path) as running:
        minter = Minter(MASTER, WallClock())
        snapshot = running.rig.snapshots.current()
        for place, case in enumerate(KNOWN):
            running.served.facts.clear()
            body = message("tools/call", {"name": case.tool, "arguments": case.arguments})
            caller = case.caller(running.rig.url)
            shown = minter.mint(caller, case.server, f"direct-{place}", hashlib.sha256(body).hexdigest()).decode()
            sent = {**headers("tools/call", case.tool), "pierhead-assertion": shown}
            answer = await running.rig.client.post(snapshot.servers[case.server].upstream, content=body, headers=sent)
            told, rules = decided(running.served.facts)
            assert told == case.decision, (case.name, answer.text)
            assert case.rule in {"", *rules}, (case.name, rules)
