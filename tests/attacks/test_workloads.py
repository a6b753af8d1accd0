"""Forged workloads: odd JWT-SVIDs, odd forwarded certificates, and headers from whoever is not the sidecar."""

import hashlib
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey
from tests.rigs.gateway import Rig, claims, gateway, headers, message, serving, sign, tool, verifier
from tests.rigs.mesh import CHAT, DIGEST, DOMAIN, FOREIGN, REPORT, STRANGER, TRIAGE, bundle, forwarded, mesh, svid

from pierhead.adapters.spiffe import Lives, Workloads, certificate_of
from pierhead.core.catalog import Effect
from pierhead.core.errors import Unauthenticated
from pierhead.core.identity import Workload
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.scope import WHOLE
from pierhead.core.token_parts import header_and_claims
from pierhead.core.workload import Registration
from pierhead.usecases.memory import MemoryClock

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
AUDIENCE = "http://127.0.0.1:8420/mcp/warehouse"
PLACE = Registration("chat", "production", interactive=True, scopes=WHOLE)


class Bundle:
    """A trust bundle that can change, and go away."""

    def __init__(self) -> None:
        self.text = bundle()
        self.away = False

    def __call__(self) -> bytes:
        if self.away:
            raise OSError
        return self.text


def workloads(read: Bundle | None = None, clock: MemoryClock | None = None) -> Workloads:
    return Workloads(DOMAIN, {CHAT: PLACE}, read or Bundle(), clock or MemoryClock(NOW), Lives(3600, 300))


def refusal(token: str | bytes) -> str:
    with pytest.raises(Unauthenticated) as caught:
        workloads().from_token(token if isinstance(token, bytes) else token.encode(), AUDIENCE)
    return caught.value.code


async def test_a_jwt_svid_is_its_workload_where_it_was_registered() -> None:
    proven = workloads().from_token(svid(CHAT, [AUDIENCE], now=NOW).encode(), AUDIENCE)
    assert (proven.workload, proven.registration, proven.until) == (Workload(CHAT), PLACE, NOW + 300)


TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"exp": NOW}, "svid-expired"),
    "without an end": ({"exp": ...}, "bad-svid"),
    "an end as text": ({"exp": str(NOW + 300)}, "bad-svid"),
    "an end as truth": ({"exp": True}, "bad-svid"),
    "an end beyond all time": ({"exp": 10**30}, "bad-svid"),
    "a second too long": ({"exp": NOW + 361}, "svid-too-long"),
    "a day long": ({"exp": NOW + 86_400}, "svid-too-long"),
    "a day long, near its end": ({"iat": NOW - 86_000, "exp": NOW + 60}, "svid-too-long"),
    "for ever": ({"exp": 2**53 - 1}, "svid-too-long"),
    "of nobody knows when, and long": ({"iat": ..., "exp": NOW + 361}, "svid-too-long"),
    "from the beginning of time": ({"iat": 0}, "svid-too-long"),
    "of tomorrow": ({"iat": NOW + 600, "exp": NOW + 900}, "svid-not-yet"),
    "not yet": ({"nbf": NOW + 61}, "svid-not-yet"),
    "another audience": ({"aud": "http://127.0.0.1:8420/mcp/other"}, "svid-wrong-audience"),
    "no audience": ({"aud": ...}, "svid-wrong-audience"),
    "an odd audience": ({"aud": {"a": AUDIENCE}}, "svid-wrong-audience"),
    "a number as audience": ({"aud": [1]}, "svid-wrong-audience"),
    "no subject": ({"sub": ...}, "bad-svid"),
    "a person as subject": ({"sub": "alice"}, "bad-svid"),
    "a trust domain as subject": ({"sub": f"spiffe://{DOMAIN}"}, "bad-svid"),
    "a foreign trust domain": ({"sub": FOREIGN}, "foreign-workload"),
    "a workload nobody registered": ({"sub": STRANGER}, "unknown-workload"),
    "another spelling": ({"sub": CHAT.replace("spiffe", "SPIFFE")}, "bad-svid"),
    "signed by another": ({"key": ECKey.generate_key("P-256", {"kid": "svid-1"})}, "bad-svid"),
    "an unknown key": ({"header": {"alg": "ES256", "kid": "svid-2"}}, "svid-unknown-key"),
    "no key id": ({"header": {"alg": "ES256"}}, "bad-svid"),
    "a key of its own": ({"header": {"alg": "ES256", "kid": "svid-1", "jku": "http://evil"}}, "bad-svid"),
    "another type": ({"header": {"alg": "ES256", "kid": "svid-1", "typ": "at+jwt"}}, "bad-svid"),
}


@pytest.mark.parametrize(("how", "code"), TOKENS.values(), ids=TOKENS.keys())
async def test_a_jwt_svid_that_is_not_good_is_refused(how: dict[str, Any], code: str) -> None:
    changed = dict(how)
    assert refusal(svid(changed.pop("sub", CHAT), changed.pop("aud", AUDIENCE), now=NOW, **changed)) == code


async def test_an_algorithm_is_bound_to_the_kind_of_its_key() -> None:
    secret = OctKey.import_key(bundle())
    assert refusal(sign(claims(AUDIENCE), {"alg": "HS256", "kid": "svid-1"}, secret)) == "bad-svid"
    rsa = RSAKey.generate_key(2048, {"kid": "svid-1"})
    assert refusal(sign({"sub": CHAT, "aud": AUDIENCE}, {"alg": "RS256", "kid": "svid-1"}, rsa)) == "bad-svid"
    unsigned = "eyJhbGciOiJub25lIiwia2lkIjoic3ZpZC0xIn0." + svid(CHAT, AUDIENCE).split(".")[1] + "."
    assert refusal(unsigned) == "bad-svid"


@pytest.mark.parametrize("odd", [b"", b"a.b.c", b"x" * 20_000])
async def test_what_is_no_token_is_refused(odd: bytes) -> None:
    assert refusal(odd) == "bad-svid"
    assert not workloads().is_token(odd)


async def test_a_new_key_of_the_bundle_is_good_within_seconds_and_an_old_one_no_longer() -> None:
    read, clock, new = Bundle(), MemoryClock(NOW), ECKey.generate_key("P-256", {"kid": "svid-2"})
    known = workloads(read, clock)
    old_token = svid(CHAT, AUDIENCE, now=NOW).encode()
    new_token = svid(CHAT, AUDIENCE, now=NOW, key=new, header={"alg": "ES256", "kid": "svid-2"}).encode()
    known.from_token(old_token, AUDIENCE)
    read.text = bundle(new)
    clock.seconds += 5
    assert known.from_token(new_token, AUDIENCE).workload == Workload(CHAT)
    with pytest.raises(Unauthenticated, match="no key"):
        known.from_token(old_token, AUDIENCE)


@pytest.mark.parametrize("broken", [b"", b"[]", b'{"keys":3}', b'{"keys":[1,{},{"kid":"svid-1","kty":"EC"}]}', None])
async def test_a_bundle_that_cannot_be_read_admits_nobody(broken: bytes | None) -> None:
    read = Bundle()
    read.away, read.text = broken is None, broken or b""
    with pytest.raises(Unauthenticated) as refused:
        workloads(read).from_token(svid(CHAT, AUDIENCE, now=NOW).encode(), AUDIENCE)
    assert refused.value.code == "svid-unknown-key"


async def test_a_certificate_of_the_sidecar_is_its_one_uri() -> None:
    assert certificate_of(forwarded(CHAT).encode()) == (CHAT, None)
    subject = rf'Hash={DIGEST};Subject="CN=x\",URI={FOREIGN};Hash=";URI={CHAT}'
    assert certificate_of(subject.encode()) == (CHAT, None)
    assert certificate_of(f"Hash={DIGEST};URI={CHAT};DNS=a.example;DNS=b.example".encode()) == (CHAT, None)


BEGIN, END = "-----BEGIN CERTIFICATE-----%0A", "-----END CERTIFICATE-----%0A"
CERTIFICATES = {
    "nothing": "",
    "no uri": f"By=spiffe://a/b;Hash={DIGEST}",
    "no digest": f"URI={CHAT}",
    "an odd digest": f"Hash=xyz;URI={CHAT}",
    "two elements": f"{forwarded(CHAT)},{forwarded(TRIAGE)}",
    "the attacker's first": f"{forwarded(TRIAGE)}, {forwarded(CHAT)}",
    "an element that is empty": f"{forwarded(CHAT)},",
    "a member that is empty": f"{forwarded(CHAT)};",
    "two uris": f"{forwarded(CHAT)};URI={TRIAGE}",
    "two digests": f"Hash={DIGEST};{forwarded(CHAT)}",
    "another spelling": forwarded(CHAT).replace("URI=", "uri="),
    "an unknown member": f"{forwarded(CHAT)};Role=admin",
    "a quoted uri": f'Hash={DIGEST};URI="{CHAT}"',
    "a subject without marks": f"Hash={DIGEST};Subject=CN=x;URI={CHAT}",
    "a subject without end": f'Hash={DIGEST};URI={CHAT};Subject="CN=x',
    "a subject that ends in a backslash": f'Hash={DIGEST};URI={CHAT};Subject="CN=x\\',
    "words after a subject": f'Hash={DIGEST};Subject="CN=x"URI={CHAT}',
    "a certificate that is none": f'Hash={DIGEST};Cert="x";URI={CHAT}',
    "a certificate of other letters": f'Hash={DIGEST};Cert="%FF";URI={CHAT}',
    "a certificate of another digest": f'Hash={DIGEST};Cert="{BEGIN}eA==%0A{END}";URI={CHAT}',
    "a space": f"Hash={DIGEST}; URI={CHAT}",
    "other letters": f"Hash={DIGEST};URI=spiffe://{DOMAIN}/\u00e4",
    "without end": f"Hash={DIGEST};URI={CHAT};DNS=" + "a" * 20_000,
}


@pytest.mark.parametrize("header", CERTIFICATES.values(), ids=CERTIFICATES.keys())
async def test_a_forwarded_certificate_of_another_shape_is_refused(header: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        workloads().from_sidecar(header.encode())
    assert refused.value.code == "bad-forwarded-certificate"


@pytest.mark.parametrize(("uri", "code"), [(FOREIGN, "foreign-workload"), (STRANGER, "unknown-workload")])
async def test_the_sidecars_word_makes_nobody_of_a_stranger(uri: str, code: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        workloads().from_sidecar(forwarded(uri).encode())
    assert refused.value.code == code


# Through the gateway.


async def server(scope: Any, receive: Any, send: Any) -> None:
    """Says whom its gateway showed it."""
    if scope["type"] != "http":
        return
    body = (await receive())["body"]
    shown = dict(scope["headers"])
    name = header_and_claims(shown[b"pierhead-assertion"])[1]["aud"]
    caller, _ = verifier(str(name)).verify(shown[b"pierhead-assertion"], hashlib.sha256(body).hexdigest())
    channel = f" #{caller.channel}" if caller.channel else ""
    told = f"{caller.name} on {caller.surface} in {caller.environment}{channel}; {sorted(n.decode() for n in shown)}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": told.encode()})


ROWS = [
    Row("warehouse", parse_who(f"group:data-eng or workload:{CHAT}"), EVERY, EVERY, EVERY),
    Row("warehouse", parse_who(f"workload:{TRIAGE}"), frozenset({"agent"}), frozenset({"production"}), EVERY),
]
TOOLS = (tool("echo"), tool("wipe", effect=Effect.DESTRUCTIVE))


async def ask(
    way: httpx2.AsyncClient, rig: Rig, name: str = "echo", token: str | None = None, **more: str
) -> httpx2.Response:
    sent = {**headers("tools/call", name), **{key.replace("_", "-"): value for key, value in more.items()}}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    body = message("tools/call", {"name": name, "arguments": {}})
    return await way.post(f"{rig.url}/mcp/warehouse", content=body, headers=sent)


async def test_person_and_workload_are_both_and_stand_where_the_workload_is_registered(tmp_path: Path) -> None:
    setting = mesh(tmp_path, sidecar=f"unix:{tmp_path}/sidecar.sock")
    async with serving(server) as upstream, gateway(f"{upstream}/mcp", *TOOLS, rows=ROWS, mesh=setting) as rig:
        answer = await ask(
            rig.sidecar,
            rig,
            token=rig.token(),
            x_forwarded_client_cert=forwarded(CHAT),
            x_surface="ide",
            pierhead_surface="ide",
        )
        assert answer.text.startswith(f"alice via {CHAT} on chat in production; ")
        assert "x-forwarded-client-cert" not in answer.text
        actor = rig.audit.facts[0].actor
        assert (actor.person, actor.workload, actor.surface) == ("alice", CHAT, "chat")


async def test_a_workload_alone_reads_and_does_nothing_else(tmp_path: Path) -> None:
    async with (
        serving(server) as upstream,
        gateway(f"{upstream}/mcp", *TOOLS, rows=ROWS, mesh=mesh(tmp_path)) as rig,
    ):
        token = svid(TRIAGE, f"{rig.url}/mcp/warehouse")
        assert (await ask(rig.client, rig, token=token)).text.startswith(f"{TRIAGE} on agent in production; ")
        refused = (await ask(rig.client, rig, "wipe", token=token)).json()["error"]
        assert "Unknown tool" in refused["message"]
        reasons = [reason.rule for reason in rig.audit.facts[-1].reasons]
        assert "intrinsic.workload-reads-only" in reasons


async def test_a_right_of_one_is_no_right_of_both(tmp_path: Path) -> None:
    async with (
        serving(server) as upstream,
        gateway(f"{upstream}/mcp", *TOOLS, rows=ROWS, mesh=mesh(tmp_path)) as rig,
    ):
        audience = f"{rig.url}/mcp/warehouse"
        both = await ask(rig.client, rig, token=rig.token(), pierhead_workload_token=svid(CHAT, audience))
        assert both.text.startswith(f"alice via {CHAT}")
        bob = rig.token(sub="bob", groups=["ads"])
        for token, program, missing in ((bob, CHAT, "person"), (rig.token(), REPORT, "workload")):
            answer = await ask(rig.client, rig, token=token, pierhead_workload_token=svid(program, audience))
            assert answer.status_code == 403
            assert f"reach it as a {missing}" in answer.json()["error"]["message"]


CHANNEL = "airflow-help"
IN_CHANNEL = [
    Row(
        "warehouse",
        parse_who(f"group:data-eng or workload:{CHAT} or workload:{TRIAGE}"),
        EVERY,
        EVERY,
        frozenset({CHANNEL}),
    )
]


async def test_a_channel_is_the_word_of_an_attested_chat_surface_and_of_nobody_else(tmp_path: Path) -> None:
    async with (
        serving(server) as upstream,
        gateway(f"{upstream}/mcp", *TOOLS, rows=IN_CHANNEL, mesh=mesh(tmp_path)) as rig,
    ):
        audience = f"{rig.url}/mcp/warehouse"
        chat = {"token": rig.token(), "pierhead_workload_token": svid(CHAT, audience)}
        there = await ask(rig.client, rig, **chat, pierhead_channel=CHANNEL)
        assert there.text.startswith(f"alice via {CHAT} on chat in production #{CHANNEL}; ")
        assert "pierhead-channel" not in there.text
        assert rig.audit.facts[0].actor.channel == CHANNEL
        assert (await ask(rig.client, rig, **chat)).status_code == 403
        assert (await ask(rig.client, rig, **chat, pierhead_channel="another")).status_code == 403
        assert (await ask(rig.client, rig, **chat, pierhead_channel="a, b")).status_code == 400
        for name in ("pierhead_channel", "x_pierhead_channel", "pierhead-Channel"):
            alone = await spoofed(
                rig.client, rig, {name.replace("_", "-"): CHANNEL, "authorization": f"Bearer {rig.token()}"}
            )
            assert alone.status_code == 403, name
        agent = svid(TRIAGE, audience)
        assert (await ask(rig.client, rig, token=agent, pierhead_channel=CHANNEL)).status_code == 403


SPOOFS = (
    {"x_forwarded_client_cert": forwarded(CHAT)},
    {"X-Forwarded-Client-Cert": forwarded(CHAT)},
    {"X_Forwarded_Client_Cert": forwarded(CHAT)},
    {"x-forwarded-client_cert": forwarded(CHAT)},
    {"x-client-cert": forwarded(CHAT)},
    {"x-spiffe-id": CHAT},
    {"pierhead-workload": CHAT},
    {"x-pierhead-surface": "chat"},
)


@pytest.mark.parametrize("sidecar", ["", "10.9.8.7"])
async def test_who_is_not_the_sidecar_says_nothing_of_certificates(tmp_path: Path, sidecar: str) -> None:
    setting = mesh(tmp_path, sidecar=sidecar)
    async with serving(server) as upstream, gateway(f"{upstream}/mcp", *TOOLS, rows=ROWS, mesh=setting) as rig:
        for spoof in SPOOFS:
            with_person = await spoofed(rig.client, rig, {**spoof, "authorization": f"Bearer {rig.token()}"})
            assert with_person.text.startswith("alice on ide in local; "), spoof
            assert (await spoofed(rig.client, rig, spoof)).status_code == 401, spoof


async def test_another_spelling_is_no_certificate_even_from_the_sidecar(tmp_path: Path) -> None:
    setting = mesh(tmp_path, sidecar=f"unix:{tmp_path}/sidecar.sock")
    async with serving(server) as upstream, gateway(f"{upstream}/mcp", *TOOLS, rows=ROWS, mesh=setting) as rig:
        for spoof in SPOOFS[2:]:
            assert (await spoofed(rig.sidecar, rig, spoof)).status_code == 401, spoof


async def spoofed(way: httpx2.AsyncClient, rig: Rig, spoof: dict[str, str]) -> httpx2.Response:
    sent = [*headers("tools/call", "echo").items(), *spoof.items()]
    body = message("tools/call", {"name": "echo", "arguments": {}})
    return await way.post(f"{rig.url}/mcp/warehouse", content=body, headers=sent)


async def test_the_sidecars_address_is_its_word_and_a_proof_that_fails_refuses_the_whole(tmp_path: Path) -> None:
    setting = mesh(tmp_path, sidecar="127.0.0.1")
    async with serving(server) as upstream, gateway(f"{upstream}/mcp", *TOOLS, rows=ROWS, mesh=setting) as rig:
        good = await ask(rig.client, rig, x_forwarded_client_cert=forwarded(TRIAGE))
        assert good.text.startswith(f"{TRIAGE} on agent in production; ")
        audience = f"{rig.url}/mcp/warehouse"
        failing: list[tuple[str, dict[str, str]]] = [
            ("foreign-workload", {"x_forwarded_client_cert": forwarded(FOREIGN)}),
            ("bad-forwarded-certificate", {"x_forwarded_client_cert": f"{forwarded(CHAT)},{forwarded(CHAT)}"}),
            ("bad-svid", {"pierhead_workload_token": "x"}),
            ("svid-wrong-audience", {"pierhead_workload_token": svid(CHAT, "elsewhere")}),
            (
                "two-workloads",
                {
                    "x_forwarded_client_cert": forwarded(CHAT),
                    "pierhead_workload_token": svid(TRIAGE, audience),
                },
            ),
        ]
        for code, proofs in failing:
            answer = await ask(rig.client, rig, token=rig.token(), **proofs)
            assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (401, code)
        reasons = [fact.reason for fact in rig.audit.facts if fact.kind == "sign-in-failed"]
        assert reasons == [code for code, _ in failing]


async def test_without_a_mesh_no_workload_is_anybody() -> None:
    async with serving(server) as upstream, gateway(f"{upstream}/mcp", *TOOLS, rows=ROWS) as rig:
        token = svid(TRIAGE, f"{rig.url}/mcp/warehouse")
        assert (await ask(rig.client, rig, token=token)).status_code == 401
        answer = await ask(rig.client, rig, token=rig.token(), pierhead_workload_token=token)
        assert answer.json()["error"]["data"]["code"] == "unknown-workload"
