"""What the gateway answers Envoy's ext_authz: layer 1, and the refusal that the client is to read."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from tests.attacks.test_workloads import ROWS, TOOLS, server
from tests.rigs.gateway import Rig, gateway, serving
from tests.rigs.mesh import CHAT, REPORT, TRIAGE, forwarded, mesh

from pierhead.core.snapshot import Expired

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def asking(folder: Path) -> AsyncGenerator[tuple[Rig, httpx2.AsyncClient]]:
    setting = mesh(folder, sidecar=f"unix:{folder}/s.sock", authz=f"unix:{folder}/a.sock")
    way = httpx2.AsyncHTTPTransport(uds=f"{folder}/a.sock")
    async with (
        serving(server) as upstream,
        gateway(f"{upstream}/mcp", *TOOLS, rows=ROWS, mesh=setting) as rig,
        httpx2.AsyncClient(transport=way, base_url=rig.url, timeout=10) as envoy,
    ):
        yield rig, envoy


async def test_a_decision_is_that_of_the_rows(tmp_path: Path) -> None:
    async with asking(tmp_path) as (rig, envoy):
        alice = {"authorization": f"Bearer {rig.token()}"}
        bob = {"authorization": f"Bearer {rig.token(sub='bob', groups=['ads'])}"}
        chat, triage, report = ({"x-forwarded-client-cert": forwarded(name)} for name in (CHAT, TRIAGE, REPORT))
        expected = [
            (alice, 200, ""),
            (bob, 403, "cannot-reach"),
            ({}, 401, "no-credentials"),
            (triage, 200, ""),
            (report, 403, "cannot-reach"),
            (alice | chat, 200, ""),
            (bob | chat, 403, "cannot-reach"),
            (alice | report, 403, "cannot-reach"),
            ({"authorization": "Bearer x"}, 401, "malformed"),
        ]
        for proofs, status, code in expected:
            for path in ("/authz/mcp/warehouse", "/authz/data/warehouse/api/v1/t?a=b"):
                answer = await envoy.post(path, headers=proofs)
                found = answer.json()["error"]["data"]["code"] if answer.content else ""
                assert (answer.status_code, found) == (status, code), (proofs, path)
        refused = [fact.actor.principal for fact in rig.audit.facts if fact.kind == "call-refused"]
        assert set(refused) == {"bob", REPORT, f"bob via {CHAT}", f"alice via {REPORT}"}
        assert "call-started" not in rig.audit.kinds()


async def test_the_desk_is_for_everybody_who_proved_something(tmp_path: Path) -> None:
    async with asking(tmp_path) as (rig, envoy):
        token = rig.token(aud=f"{rig.url}/mcp")
        assert (await envoy.post("/authz/mcp", headers={"authorization": f"Bearer {token}"})).status_code == 200
        assert (await envoy.post("/authz/mcp")).status_code == 401


async def test_nothing_else_is_permitted(tmp_path: Path) -> None:
    async with asking(tmp_path) as (rig, envoy):
        proofs = {"authorization": f"Bearer {rig.token()}"}
        for path in ("/mcp/warehouse", "/authz", "/authz/", "/authz/mcp/", "/authz/mcp//warehouse", "/authz/api/v1"):
            assert (await envoy.post(path, headers=proofs)).status_code == 404, path
        assert (await envoy.post("/authz/mcp/other", headers=proofs)).status_code == 401
        wrong_host = await envoy.post("/authz/mcp/warehouse", headers={**proofs, "host": "evil.example"})
        assert wrong_host.status_code == 421
        rig.snapshots.how_old = Expired(1000)
        assert (await envoy.post("/authz/mcp/warehouse", headers=proofs)).status_code == 503
