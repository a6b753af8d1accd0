"""The servers of a truth table and a gateway before them, reached straight or through Envoy, and what each recorded."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from tests.components import free_port
from tests.rigs.envoy import Certificates, configured, meshed_by, running
from tests.rigs.gateway import Rig, WallClock, gateway, headers, message, serving, verifier
from tests.rigs.mesh import mesh, svid
from tests.rigs.truth_table import Case, Table

from pierhead.bootstrap.wire_mesh import rows_in
from pierhead.sdk.governance import govern
from pierhead.sdk.host import host
from pierhead.usecases.memory import MemoryAudit, MemorySnapshots, NoApprovals, snapshot_of


@dataclass(frozen=True)
class Said:
    """What a call's first fact says of it: the decision, and the grounds by rule."""

    decision: str
    reasons: dict[str, str]

    @property
    def rules(self) -> set[str]:
        return set(self.reasons)


def said(facts: Iterable[Any]) -> Said | None:
    """What was decided, of the first call that these facts tell of; None, if they tell of none."""
    fact = next((each for each in facts if each.kind in {"call-started", "call-refused"}), None)
    if fact is None:
        return None
    reasons = {reason.rule: reason.sentence for reason in fact.reasons}
    if fact.kind == "call-started":
        return Said("permit", reasons)
    return Said("approval" if fact.code == "approval_required" else "refuse", reasons)


@dataclass
class Fleet:
    """Running servers and their gateway. `certificates` are there where Envoy stands in front."""

    rig: Rig
    served: MemoryAudit
    certificates: Certificates | None = None
    _clients: dict[str, httpx2.AsyncClient] = field(default_factory=dict[str, httpx2.AsyncClient])

    def forget(self) -> None:
        self.rig.audit.facts.clear()
        self.served.facts.clear()

    def at_gateway(self) -> Said | None:
        return said(self.rig.audit.facts)

    def at_server(self) -> Said | None:
        return said(self.served.facts)

    async def ask(self, case: Case, method: str = "tools/call") -> httpx2.Response:
        """One request with every proof that the case has; in front of Envoy a workload shows a certificate."""
        audience = f"{self.rig.url}/mcp/{case.server}"
        named = {"name": case.tool, "arguments": dict(case.arguments)} if method == "tools/call" else {}
        body = message(method, named)
        sent = {**headers(method, case.tool if named else ""), **self._proofs(case, audience)}
        return await self._client(case.workload).post(audience, content=body, headers=sent)

    def _proofs(self, case: Case, audience: str) -> dict[str, str]:
        proofs = {"pierhead-channel": case.channel} if case.channel else {}
        if case.user:
            token = self.rig.token(sub=case.user, groups=sorted(case.groups), aud=audience)
            proofs["authorization"] = f"Bearer {token}"
        if case.workload and self.certificates is None:
            shown = svid(case.workload, audience)
            proofs |= {"pierhead-workload-token": shown} if case.user else {"authorization": f"Bearer {shown}"}
        return proofs

    def _client(self, workload: str) -> httpx2.AsyncClient:
        """A connection for each workload: its certificate belongs to the connection."""
        if self.certificates is None:
            return self.rig.client
        if workload not in self._clients:
            self._clients[workload] = self.certificates.client(workload)
        return self._clients[workload]

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()


@asynccontextmanager
async def fleet(table: Table, folder: Path, *, behind_envoy: bool = False) -> AsyncGenerator[Fleet]:
    """The table's servers, each an SDK server on a port of its own, under the table's policy."""
    async with AsyncExitStack() as opened:
        servers, snapshots, audit = table.sdk_servers(), MemorySnapshots(snapshot_of([], [])), MemoryAudit()
        upstreams: dict[str, str] = {}
        for name, server in servers.items():
            governance = govern(name, server.tools, snapshots, NoApprovals(), audit, WallClock())
            application = host(server, governance, verifier(name))
            upstreams[name] = f"{await opened.enter_async_context(serving(application))}/mcp"
        policy = table.snapshot(servers, upstreams)
        if not behind_envoy:
            rig = await opened.enter_async_context(gateway("", mesh=mesh(folder)))
            snapshots.snapshot = rig.snapshots.snapshot = policy
            yield Fleet(rig, audit)
            return
        certificates, port = Certificates(folder / "secrets"), free_port()
        setting = meshed_by(folder, port, free_port())
        url = f"https://127.0.0.1:{port}"
        rig = await opened.enter_async_context(gateway("", mesh=setting, public_url=url))
        snapshots.snapshot = rig.snapshots.snapshot = policy
        await opened.enter_async_context(running(configured(setting, rows_in(policy)), folder))
        found = Fleet(rig, audit, certificates)
        opened.push_async_callback(found.close)
        yield found
