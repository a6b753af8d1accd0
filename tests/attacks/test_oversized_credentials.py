"""Proofs that are larger than any proof is: refused before anything is made of them, with a reason, at every door."""

import base64
from pathlib import Path

import httpx2
import pytest
from tests.attacks.test_wrong_clocks import answers
from tests.rigs.gateway import Rig, gateway, headers, message, serving
from tests.rigs.mesh import CHAT, TRIAGE, forwarded, mesh
from tests.unit.apps.registry.test_oauth import Browser
from tests.web_site import PUBLIC_URL, build

pytestmark = pytest.mark.anyio

LARGE = "x" * 20_000
JWT_LIKE = f"{LARGE}.{LARGE}.{LARGE}"


async def refused(rig: Rig, way: httpx2.AsyncClient, **proofs: str) -> tuple[int, str]:
    sent = {**headers("tools/call", "echo"), **{name.replace("_", "-"): value for name, value in proofs.items()}}
    body = message("tools/call", {"name": "echo", "arguments": {}})
    answer = await way.post(f"{rig.url}/mcp/warehouse", content=body, headers=sent)
    is_ours = answer.headers.get("content-type", "") == "application/json"
    return answer.status_code, answer.json()["error"]["data"]["code"] if is_ours else ""


async def test_the_gateway_refuses_a_large_proof_of_each_kind_and_says_why_in_its_record(tmp_path: Path) -> None:
    setting = mesh(tmp_path, sidecar=f"unix:{tmp_path}/sidecar.sock")
    async with serving(answers) as upstream, gateway(f"{upstream}/mcp", mesh=setting) as rig:
        good = {"authorization": f"Bearer {rig.token()}"}
        doors = {
            "token-too-long": (rig.client, {"authorization": f"Bearer {LARGE}"}),
            "bad-svid": (rig.client, {**good, "pierhead_workload_token": LARGE}),
            "bad-forwarded-certificate": (rig.sidecar, {**good, "x_forwarded_client_cert": forwarded(CHAT + LARGE)}),
            "not-bearer": (rig.client, {"authorization": LARGE}),
        }
        for code, (way, proofs) in doors.items():
            assert await refused(rig, way, **proofs) == (401, code)
        reasons = [fact.reason for fact in rig.audit.facts]
        assert (reasons, {fact.kind for fact in rig.audit.facts}) == ([*doors], {"sign-in-failed"})
        assert LARGE[:100] not in str(rig.audit.facts)
        for name in ("authorization", "pierhead_workload_token", "cookie"):
            assert (await refused(rig, rig.client, **{name: f"Bearer {JWT_LIKE}"}))[0] in {400, 431}
        assert (await refused(rig, rig.sidecar, x_forwarded_client_cert=forwarded(TRIAGE)))[1] != "bad-svid"


async def test_the_registry_refuses_large_codes_secrets_and_tokens_and_stays_up() -> None:
    world = build()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=world.app), base_url=PUBLIC_URL) as http:
        browser = Browser(world, http)
        await browser.sign_in("alice")
        client = (await browser.register())["client_id"]
        code = await browser.code(client)
        basic = base64.b64encode(f"{client}:{LARGE}".encode()).decode()
        tries = [
            await browser.exchange(client, LARGE),
            await browser.exchange(client, code, code_verifier=LARGE),
            await browser.exchange(LARGE, code),
            await browser.exchange(client, code, client_secret=LARGE),
            await browser.refresh(client, JWT_LIKE),
            await http.post("/oauth/token", data={"code": LARGE}, headers={"authorization": f"Basic {basic}"}),
            await http.post("/oauth/token", data={"code": "x" * 5_000_000}),
        ]
        assert {each.status_code for each in tries} <= {400, 401, 413}
        assert all("error" in each.json() and LARGE[:100] not in each.text for each in tries)
        bearer = await http.get("/api/v1/me", headers={"authorization": f"Bearer {LARGE}"})
        assert (bearer.status_code, LARGE[:100] in bearer.text) == (401, False)
        http.cookies.clear()
        for name in ("pierhead_session", "__Host-pierhead_session", "pierhead_sign_in"):
            page = await http.get("/servers", headers={"cookie": f"{name}={JWT_LIKE}"})
            assert page.headers.get("location", "").startswith("/sign-in"), name
        assert (await http.get("/oauth/jwks")).status_code == 200
