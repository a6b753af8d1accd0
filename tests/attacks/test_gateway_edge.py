"""Attacks on the public port with raw bytes: smuggling, spoofed headers, sibling routes, slow and flooding senders."""

import asyncio
from typing import Any

import pytest
from tests.rigs.gateway import Rig, eventually, gateway, headers, message, serving

from pierhead.apps.gateway.forward import is_public
from pierhead.apps.gateway.methods import REQUESTS

pytestmark = pytest.mark.anyio


async def server(scope: Any, receive: Any, send: Any) -> None:
    """Would answer anybody; nobody in this file may get here."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"reached":true}'})


async def say(rig: Rig, request: bytes) -> bytes:
    """Send raw bytes; what comes back until the gateway closes, or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(rig.url.rpartition(":")[2]))
    writer.write(request)
    found = b""
    try:
        async with asyncio.timeout(0.5):
            while part := await reader.read(65536):
                found += part
    except TimeoutError:
        pass
    writer.close()
    return found


def request(
    rig: Rig, *more: str, without: str = "", body: bytes = b"", start: str = "POST /mcp/warehouse HTTP/1.1"
) -> bytes:
    text = body or message("tools/call", {"name": "echo"})
    lines = [f"{name}: {value}" for name, value in headers("tools/call", "echo").items()]
    lines += [f"host: {rig.url.removeprefix('http://')}", f"authorization: Bearer {rig.token()}"]
    lines += [f"content-length: {len(text)}", *more]
    kept = [line for line in lines if not without or not line.startswith(without)]
    return "\r\n".join([start, *kept, "", ""]).encode("latin-1") + text


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    return int(answer[9:12])


HEADERS: dict[str, tuple[dict[str, Any], int]] = {
    "no host": ({"without": "host"}, 421),
    "two tokens": ({"more": ["authorization: Bearer x"]}, 400),
    "two hosts": ({"more": ["host: evil.example"]}, 400),
    "two types": ({"more": ["content-type: application/json"]}, 400),
    "the method twice": ({"more": ["mcp-method: tools/call"]}, 400),
    "the name twice": ({"more": ["Mcp-Name: echo"]}, 400),
    "the version twice": ({"more": ["mcp-protocol-version: 2026-07-28"]}, 400),
    "a parameter twice": ({"more": ["mcp-param-a: 1", "mcp-param-a: 2"]}, 400),
    "many headers": ({"more": [f"x-{number}: 1" for number in range(100)]}, 431),
    "a negative length": ({"without": "content-length", "more": ["content-length: -1"]}, 400),
    "two lengths": ({"more": ["content-length: 3"]}, 400),
    "length and chunks": ({"more": ["transfer-encoding: chunked"]}, 400),
    "a folded header": ({"more": ["x-a: 1\r\n 2"]}, 400),
    "a space before the colon": ({"more": ["x-a : 1"]}, 400),
    "another protocol": ({"start": "POST /mcp/warehouse HTTP/3.7"}, 400),
    "no protocol": ({"start": "POST /mcp/warehouse"}, 400),
}


@pytest.mark.parametrize(("how", "expected"), HEADERS.values(), ids=HEADERS.keys())
async def test_a_request_two_readers_could_take_differently_is_refused(how: dict[str, Any], expected: int) -> None:
    async with serving(server) as upstream, gateway(f"{upstream}/mcp") as rig:
        arguments = dict(how)
        more = arguments.pop("more", [])
        answer = await say(rig, request(rig, *more, **arguments))
        assert status(answer) == expected
        assert b"reached" not in answer
        assert "call-started" not in rig.audit.kinds()


async def test_a_head_without_end_is_cut_off() -> None:
    async with serving(server) as upstream, gateway(f"{upstream}/mcp") as rig:
        answer = await say(rig, b"POST /mcp/warehouse HTTP/1.1\r\nx: " + b"y" * 60_000)
        assert status(answer) == 400


async def test_spoofed_identity_changes_nothing() -> None:
    async with serving(server) as upstream, gateway(f"{upstream}/mcp", access="user:root") as rig:
        spoofs = [
            "x-forwarded-user: root",
            "x-user: root",
            "pierhead-assertion: x",
            "x-forwarded-client-cert: URI=spiffe://a",
        ]
        answer = await say(rig, request(rig, *spoofs))
        assert status(answer) == 403
        assert rig.audit.facts[0].actor.person == "alice"


async def test_a_token_in_the_query_is_no_token() -> None:
    async with serving(server) as upstream, gateway(f"{upstream}/mcp") as rig:
        start = f"POST /mcp/warehouse?access_token={rig.token()} HTTP/1.1"
        assert status(await say(rig, request(rig, without="authorization", start=start))) == 401


PATHS = (
    *("/mcp/warehouse/", "/mcp//warehouse", "/mcp/warehouse/..", "/mcp/./warehouse", "/mcp/warehouse%2f"),
    *("/mcp/%77arehouse", "/mcp/warehouse;a=b", "/MCP/warehouse", "/mcp", "/mcp/", "/mcp_message", "//mcp/warehouse"),
    *("/internal", "/internal/v1/snapshot", "/INTERNAL/v1", "/%69nternal/v1", "//internal/v1", "/./internal/v1"),
    *(
        "/a/../internal/v1",
        "/a/%2e%2e/internal/v1",
        "/internal%2fv1",
        "/a\\..\\internal",
        "/%2finternal",
        "/internal;x/v1",
    ),
    *("/a/..", "/a/%zz", "/a/%", "/%00internal"),
)


@pytest.mark.parametrize("path", PATHS)
async def test_sibling_paths_lead_nowhere(path: str) -> None:
    assert not is_public(path.encode())


async def test_every_method_and_http_method_refuses_without_credentials() -> None:
    async with serving(server) as upstream, gateway(f"{upstream}/mcp") as rig:
        for name in ("warehouse", "no-such-server"):
            url = f"{rig.url}/mcp/{name}"
            for method in REQUESTS:
                answer = await rig.client.post(url, content=message(method), headers=headers(method))
                assert answer.status_code == 401, method
                where = f"{rig.url}/.well-known/oauth-protected-resource/mcp/{name}"
                assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{where}", scope="{name}.read"'
            for verb in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
                assert (await rig.client.request(verb, url)).status_code == 401, verb


async def test_other_verbs_are_not_allowed_even_with_credentials() -> None:
    async with serving(server) as upstream, gateway(f"{upstream}/mcp") as rig:
        token = {"authorization": f"Bearer {rig.token()}"}
        for verb in ("PUT", "PATCH", "OPTIONS"):
            answer = await rig.client.request(verb, f"{rig.url}/mcp/warehouse", headers=token)
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        modern = {**token, "mcp-protocol-version": "2026-07-28"}
        for verb in ("GET", "DELETE"):
            assert (await rig.client.request(verb, f"{rig.url}/mcp/warehouse", headers=modern)).status_code == 405


async def test_a_flood_of_bad_tokens_is_counted_and_does_not_fill_the_record() -> None:
    async with serving(server) as upstream, gateway(f"{upstream}/mcp") as rig:
        for _ in range(60):
            assert (await rig.call(token="x.y.z")).status_code == 401
        await eventually(lambda: sum(fact.count for fact in rig.audit.facts) == 60)
        assert {fact.reason for fact in rig.audit.facts} == {"malformed"}
        assert len(rig.audit.facts) < 30
        assert "x.y.z" not in str(rig.audit.facts)
